"""Facts about models, matched by patterns of their names.

- `limit_data`: context windows and longest responses, by provider (`limits` looks them up).
- `capability_data`: training and tool calling of models (`capabilities` merges it).
- Parameters accepted by models are in `core.dialects.policies`, for the dialects.

`facts.find_facts` joins them for one model of one provider. A test checks that they do not contradict each other.
"""
