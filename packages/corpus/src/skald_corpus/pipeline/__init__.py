"""From sources of real text to a corpus, stage by stage: `skald corpus build SOURCES.yaml`.

The first stage writes the text; every other one writes only what it removed and what it changed, so a
stage costs little disk, and what happened to a document can be read off.
"""
