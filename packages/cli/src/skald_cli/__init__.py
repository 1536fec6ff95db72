"""The `skald` command: the command line, the doctor, and the summary of a cycle.

Knows verbs, folders and exit codes, and refuses to know how a station works. A station is imported
inside its verb, so that `skald --help` costs nothing and a missing engine stops only what needs it.
"""
