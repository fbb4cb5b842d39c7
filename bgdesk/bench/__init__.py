"""Measuring bgdesk: what it gives, how fast, and what its peers give on the same pictures in the same run.

engines        the engines that are measured. setup: all that a bench has to work with
cases          pictures whose truth is known
runners        one subject each: a runner measures it and gives figures
bench_engine   all runners by name. bench_report: figures as JSON, Markdown, text
bench_queue    the folder queue, watched from outside
fit_gate       the confidence against what cut-outs are worth, and the fit of its weights

May import app, engine, files and core; the peers (pymatting, rembg, ONNX Runtime) only where they are measured.
"""
