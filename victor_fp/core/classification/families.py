"""Error tables of the vendor families: the fault types of their codes, types, reasons and exceptions."""

from __future__ import annotations

import re

from victor_fp.core.classification.phrases import (
    AWS_BAD_KEY,
    COHERE_QUOTA,
    COMMON_PHRASES,
    OPENAI_QUOTA,
    REPLICATE_MODELS,
)
from victor_fp.core.classification.tables import ErrorTable, FaultType
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
    ServerFailed,
    TimedOut,
    UnsupportedParameter,
)

COMMON_CODES: dict[str, FaultType] = {
    # https://platform.openai.com/docs/guides/error-codes, and the documentation of compatible vendors.
    # The key and its permissions
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
    "model_decommissioned": ModelNotFound,  # Groq: https://console.groq.com/docs/deprecations
    "deploymentnotfound": ModelNotFound,
    "unknown_model": ModelNotFound,
    # The prompt
    "context_length_exceeded": ContextLengthExceeded,
    "exceed_context_size_error": ContextLengthExceeded,
    "context_window_exceeded": ContextLengthExceeded,
    "model_context_window_exceeded": ContextLengthExceeded,
    "too_many_tokens": ContextLengthExceeded,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "responsibleaipolicyviolation": ContentRefused,
    "moderation_blocked": ContentRefused,
    # Volcengine: https://www.volcengine.com/docs/82379/1099476
    "inputtextriskdetection": ContentRefused,
    "inputimageriskdetection": ContentRefused,
    "outputtextriskdetection": ContentRefused,
    "sensitivecontentdetected": ContentRefused,
    "inputtextsensitivecontentdetected": ContentRefused,
    "inputimagesensitivecontentdetected": ContentRefused,
    "outputtextsensitivecontentdetected": ContentRefused,
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
    "accountoverdueerror": QuotaExhausted,  # Volcengine: https://www.volcengine.com/docs/82379/1299023
    "token_limit_exceeded": RateLimited,  # of tokens in the queue of batches: https://platform.openai.com/docs/guides/batch
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "rate_limit_reached_error": RateLimited,
    "rate_limited": RateLimited,
    "ratelimitreached": RateLimited,
    "too_many_requests": RateLimited,
    "throttlingexception": RateLimited,  # Bedrock, through gateways
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
    "capacity_exceeded": Overloaded,  # Groq: https://console.groq.com/docs/flex-processing
    "serveroverloaded": Overloaded,  # Volcengine: https://www.volcengine.com/docs/82379/1299023
    "timeout": TimedOut,
    "request_timeout": TimedOut,
}
"""Codes of OpenAI and of everything compatible. Other families know them too: gateways send them in any protocol, with
the errors of the vendor behind them. A code with several causes (invalid_request_error) is absent, so that the status
decides."""

STREAM_CODES: dict[str, FaultType] = {
    # https://docs.anthropic.com/en/api/errors, and the types of the same name at OpenAI
    "invalid_request_error": InvalidRequest,
    "request_too_large": InvalidRequest,
    "not_found_error": ModelNotFound,
    "api_error": ServerFailed,
    "billing_error": QuotaExhausted,
    "timeout_error": TimedOut,
    # Codes of a failed response: https://platform.openai.com/docs/api-reference/responses/object
    "data_residency_mismatch": InvalidRequest,
    "empty_image_file": InvalidRequest,
    "failed_to_download_image": InvalidRequest,
    "image_file_not_found": InvalidRequest,
    "image_file_too_large": InvalidRequest,
    "image_parse_error": InvalidRequest,
    "image_too_large": InvalidRequest,
    "image_too_small": InvalidRequest,
    "invalid_base64_image": InvalidRequest,
    "invalid_image": InvalidRequest,
    "invalid_image_format": InvalidRequest,
    "invalid_image_mode": InvalidRequest,
    "invalid_image_url": InvalidRequest,
    "unsupported_image_media_type": InvalidRequest,
    "previous_response_not_found": InvalidRequest,
    # Error types of OpenRouter: https://openrouter.ai/docs/api-reference/errors
    "authentication": AuthRejected,
    "payment_required": QuotaExhausted,
    "provider_overloaded": Overloaded,
    "provider_unavailable": Overloaded,
    "refusal": ContentRefused,
    "not_found": ModelNotFound,
    "image_download_failed": InvalidRequest,
    "image_not_found": InvalidRequest,
    "invalid_prompt": InvalidRequest,
    "invalid_request": InvalidRequest,
    "max_tokens_exceeded": InvalidRequest,
    "payload_too_large": InvalidRequest,
    "precondition_failed": InvalidRequest,
    "string_too_long": InvalidRequest,
    "unprocessable": InvalidRequest,
    "unsupported_image_format": InvalidRequest,
}
"""Codes that stand for a status where an error has none: in a stream, or in a 200 body."""

OPENAI_FAMILY = ErrorTable(
    codes=COMMON_CODES,
    stream_codes=STREAM_CODES,
    phrases=(*OPENAI_QUOTA, *COMMON_PHRASES),
    statuses={498: Overloaded},  # https://console.groq.com/docs/errors: the capacity of the flex tier is exceeded
)
"""Chat Completions and Responses of OpenAI and compatible vendors, and Mistral."""

ANTHROPIC_FAMILY = ErrorTable(
    codes=COMMON_CODES
    | {
        # https://docs.anthropic.com/en/api/errors. invalid_request_error is absent: gateways send it with every 4xx.
        "billing_error": QuotaExhausted,
        "timeout_error": TimedOut,
        # Google's canonical codes, on Vertex AI
        "unauthenticated": AuthRejected,
        "resource_exhausted": RateLimited,
        "unavailable": Overloaded,
        "deadline_exceeded": TimedOut,
    },
    stream_codes=STREAM_CODES,
    phrases=COMMON_PHRASES,
)

GOOGLE_FAMILY = ErrorTable(
    codes=COMMON_CODES
    | {
        # Reasons of google.rpc.ErrorInfo: google/api/error_reason.proto
        "access_token_expired": AuthRejected,
        "access_token_type_unsupported": AuthRejected,
        "credentials_missing": AuthRejected,
        "api_key_service_blocked": PermissionRefused,
        "service_disabled": PermissionRefused,
        "billing_disabled": PermissionRefused,
        "consumer_suspended": PermissionRefused,
        "iam_permission_denied": PermissionRefused,
        # Canonical codes: google/rpc/code.proto
        "invalid_argument": InvalidRequest,
        "failed_precondition": InvalidRequest,
        "out_of_range": InvalidRequest,
        "unauthenticated": AuthRejected,
        "not_found": ModelNotFound,
        "resource_exhausted": RateLimited,
        "unavailable": Overloaded,
        "deadline_exceeded": TimedOut,
        "internal": ServerFailed,
        "unknown": ServerFailed,
        "cancelled": ServerFailed,
    },
    phrases=COMMON_PHRASES,
)

AWS_FAMILY = ErrorTable(
    codes=COMMON_CODES
    | {
        # Converse and ConverseStream of the service model
        "validationexception": InvalidRequest,
        "accessdeniedexception": PermissionRefused,
        "resourcenotfoundexception": ModelNotFound,
        "toomanyrequestsexception": RateLimited,
        "servicequotaexceededexception": QuotaExhausted,
        "unknownoperationexception": InvalidRequest,
        "modelnotreadyexception": Overloaded,
        "serviceunavailableexception": Overloaded,
        "modeltimeoutexception": TimedOut,
        "modelerrorexception": ServerFailed,
        "internalserverexception": ServerFailed,
        "internalfailure": ServerFailed,
        # "Common error types" of every AWS service: the signature is invalid or not authorized
        "unrecognizedclientexception": AuthRejected,
        "invalidsignatureexception": AuthRejected,
        "signaturedoesnotmatch": AuthRejected,
        "incompletesignature": AuthRejected,
        "incompletesignatureexception": AuthRejected,
        "missingauthenticationtoken": AuthRejected,
        "missingauthenticationtokenexception": AuthRejected,
        "expiredtoken": AuthRejected,
        "expiredtokenexception": AuthRejected,
        "invalidclienttokenid": AuthRejected,
        "requestexpired": AuthRejected,
    },
    phrases=(*COMMON_PHRASES, *AWS_BAD_KEY),
)
"""Bedrock. modelStreamErrorException is absent, because it contains the status of the model, which decides."""

COHERE_FAMILY = ErrorTable(
    codes=COMMON_CODES,
    # https://docs.cohere.com/reference/errors: the request or the response holds a token that is not allowed.
    statuses={498: ContentRefused},
    phrases=(*COHERE_QUOTA, *COMMON_PHRASES),
)
"""Cohere has no error codes; gateways in front of it add some."""

OLLAMA_FAMILY = ErrorTable(
    codes=COMMON_CODES,
    phrases=COMMON_PHRASES,
    # server/routes.go of ollama/ollama
    missing_capability=re.compile(r"does not support (\w{1,40})"),
)
"""Ollama has no error codes, only a status and a message."""

REPLICATE_FAMILY = ErrorTable(
    phrases=(*REPLICATE_MODELS, *COMMON_PHRASES),
    code_in_message=re.compile(r"\((?:code: )?(E\d{3,5}|PA)\)|^(E\d{3,5})\b", re.ASCII),
)
"""Replicate reports its codes inside its messages; see `ReplicateDialect.codes`."""
