"""Classification: what an error response, an error event or an upstream error inside one means, as a Fault."""
