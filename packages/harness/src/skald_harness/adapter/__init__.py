"""The one door to lm-eval: its tasks are loaded here, and its models are ours.

Nothing outside this room imports lm_eval.
"""

import os

# One progress bar per task and step would bury ours; tqdm reads this when it is first imported.
os.environ.setdefault("TQDM_DISABLE", "1")
