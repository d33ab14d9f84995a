"""victor_fp's providers as models of other libraries; each module needs the extra of its name."""
