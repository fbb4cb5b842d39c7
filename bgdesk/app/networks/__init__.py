"""Networks: which there are, how they come to this computer, and how an engine is opened with them.

catalog        the networks that bgdesk can install (models/catalog.toml)
store          install, import, verify, list and remove; gives verified networks
download       one source of a network -> its ONNX file
imported       networks that a person brought, with onnx_presets: how each wants its photo, and what its licence allows
model_files    the models folder: which files a network has, and whether they are whole
open_engine    EngineChoice -> engine; what would stand in every photo's way is told beforehand

May import app.system, engine, files and core; the only room above the engine that knows its networks.
"""
