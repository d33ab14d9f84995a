"""HTTP exchanges in readable files: recorded, replayed and cached."""
