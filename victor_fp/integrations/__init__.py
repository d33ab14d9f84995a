"""Integrations of victor_fp's providers into other libraries; each module requires the extra of the same name."""
