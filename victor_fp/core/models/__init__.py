"""The one database of facts about models, as data matched by patterns of their names.

- `limit_data`: context windows and longest responses, by provider (`limits` looks them up).
- `capability_data`: what models were trained for and how they call tools (`capabilities` merges it).
- `chat`, `claude`, `gemini`, `cohere`, `bedrock`, `replicate`: which parameters models take, for the dialects.

`facts.find_facts` joins them for one model of one provider. A test holds that they do not contradict each other.
"""
