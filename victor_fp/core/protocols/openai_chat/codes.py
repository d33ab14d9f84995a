"""Error codes and types that OpenAI and its followers share, and what they mean; a dialect may know more."""

from __future__ import annotations

from victor_fp.core.classify import Codes
from victor_fp.core.faults import (
    AuthRejected,
    ContentRefused,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    UnsupportedParameter,
)

CODES: Codes = {
    # The key and what it may do
    "invalid_api_key": AuthRejected,
    "authentication_error": AuthRejected,
    "invalid_authentication": AuthRejected,
    "invalid_authentication_error": AuthRejected,
    "incorrect_api_key_error": AuthRejected,
    "wrong_api_key": AuthRejected,
    "api_key_invalid": AuthRejected,
    "account_deactivated": PermissionRefused,
    "permission_error": PermissionRefused,
    "permission_denied": PermissionRefused,
    "permission_denied_error": PermissionRefused,
    "permissiondenied": PermissionRefused,
    "unsupported_country_region_territory": PermissionRefused,
    # The model
    "model_not_found": ModelNotFound,
    "invalid_model": ModelNotFound,
    "model_not_available": ModelNotFound,
    "model_not_supported": ModelNotFound,
    "model_not_exist": ModelNotFound,
    "deploymentnotfound": ModelNotFound,
    "unknown_model": ModelNotFound,
    # The prompt
    "context_length_exceeded": ContextLengthExceeded,
    "exceed_context_size_error": ContextLengthExceeded,
    "context_window_exceeded": ContextLengthExceeded,
    "too_many_tokens": ContextLengthExceeded,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "responsibleaipolicyviolation": ContentRefused,
    "moderation_blocked": ContentRefused,
    "unsupported_parameter": UnsupportedParameter,
    "unsupported_value": UnsupportedParameter,
    "tool_use_failed": InvalidRequest,
    # Limits
    "insufficient_quota": QuotaExhausted,
    "insufficient_balance": QuotaExhausted,
    "insufficient_credits": QuotaExhausted,
    "exceeded_current_quota_error": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "billing_not_active": QuotaExhausted,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "rate_limit_reached_error": RateLimited,
    "rate_limited": RateLimited,
    "ratelimitreached": RateLimited,
    "too_many_requests": RateLimited,
    "too_many_requests_error": RateLimited,
    "toomanyrequests": RateLimited,
    # The server
    "overloaded_error": Overloaded,
    "engine_overloaded": Overloaded,
    "engine_overloaded_error": Overloaded,
    "server_is_overloaded": Overloaded,
    "slow_down": Overloaded,
    "overloaded": Overloaded,
    "unavailable_error": Overloaded,
    "queue_exceeded": Overloaded,
    "timeout": TimedOut,
    "request_timeout": TimedOut,
}
"""Keys in lower case. A code that several causes share (invalid_request_error) is left to the status."""
