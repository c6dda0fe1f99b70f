"""The Arrow type of each column type that Glue, and therefore the contract and the logs, name."""

import pyarrow as pa

ARROW_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
