"""What belongs to a running process and to no result: progress, signals, locks, hosts, circumstances.

Knows how a process shows how far it is, is stopped, keeps others out, finds its peers and says what it
ran on; refuses to know what it computes. Nothing here may change a result, so no stage of DVC depends
on it: docs/decisions/process-package.md.
"""
