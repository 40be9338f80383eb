"""Write the golden file anew: `python -m tests.golden`; then look at the difference before committing it."""

import orjson

from tests.golden.shop import FILE, outcome

if __name__ == "__main__":
    FILE.write_bytes(orjson.dumps(outcome(), option=orjson.OPT_INDENT_2) + b"\n")
