"""Writers: one format a module. `files.save` chooses among them.

png   strips on all processors; straight alpha, or the opacity alone
psd   the untouched photo, and the subject above it under a layer mask

Each writes into an open file; files.save has what was written read back and compared, and files.atomic stages and renames.
May import core, and of files only atomic, colour and metadata. A new format takes a writer here, a line in files.save and a row
in core.formats.
"""
