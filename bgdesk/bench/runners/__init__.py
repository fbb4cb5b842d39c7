"""One subject each. A runner takes a Setup and gives figures, each beside its peer's and its bar.

network      seconds of a network beside ONNX Runtime's
matting      alpha from a trimap. refinement: alpha against the matte it began with
colours      the subject's colours
objects      automatic cut-outs against masks, and rembg
hand         strokes that a cut-out still needs. latency: how long a stroke takes
whole        `bgdesk cut` in a process of its own

May import cases, setup, bench_report, app, engine, files and core. A new runner takes a line in bench_engine.
"""
