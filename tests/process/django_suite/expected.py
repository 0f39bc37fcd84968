"""Django's tests that cannot pass over a real connection, each with the reason: (pattern, way, reason).

A pattern is a test's name with `*`; a way is `threads`, `loop` or `both`. docs/behaviour.md is made from this table by
hand: the two must say the same.
"""

from __future__ import annotations

import os

STRICT = (
    "our parser refuses this request before Django sees it (the path has no slash, or the Host field no host)"
)
EARLY = "the test counts on the generator not having run yet; a server has sent the stream by then"
DEV = "about wsgiref's connections: it closes them where HTTP/1.1 needs not, and keeps them where the client said close"
THREAD = "the test sets a language for its own thread; a server's threads see nothing of each other"
BLOCKS = "about the size of the blocks that Django reads, which a client does not see"
RAISES = "the test expects the exception itself; over a wire it is a status 500 and an entry in the log"
ENVIRON = (
    "an ASGI request of Django's has no environ, no SERVER_PROTOCOL and no REMOTE_USER (see the differences)"
)
LOGS = "about the order in which Django's own test handler says how it adapted middleware"
PREFIX = "the test sets SCRIPT_NAME beside the request; on the loop that is the server's root_path"
WRAPPER = "the test brings a file wrapper of its own, and a server uses its own"
ROOT = "fails for root under every server: nothing is unreadable for root"

EXPECTED: tuple[tuple[str, str, str], ...] = (
    ("handlers.tests.HandlerRequestTests.test_invalid_urls", "both", STRICT),
    ("handlers.tests.HandlerTests.test_bad_path_info", "both", STRICT),
    ("auth_tests.test_views.PasswordResetTest.test_poisoned_http_host*", "both", STRICT),
    ("handlers.tests.SignalsTests.test_request_signals_streaming_response", "both", EARLY),
    ("servers.tests.LiveServerViews.test_closes_connection_without_content_length", "both", DEV),
    ("servers.tests.LiveServerViews.test_keep_alive_*", "both", DEV),
    ("view_tests.tests.test_i18n.I18NViewTests.*", "both", THREAD),
    ("admin_views.tests.AdminViewBasicTest.test_i18n_language_non_english_default", "both", THREAD),
    ("admin_views.tests.AdminViewBasicTest.test_jsi18n_format_fallback", "both", THREAD),
    ("view_tests.tests.test_static.*.test_chunked", "both", BLOCKS),
    ("middleware_exceptions.tests.RootUrlconfTests.test_missing_root_urlconf", "both", RAISES),
    ("urlpatterns_reverse.tests.RequestURLconfTests.test_reverse_outer_in_streaming", "both", RAISES),
    ("wsgi.tests.WSGITest.test_file_wrapper", "both", WRAPPER),
    ("handlers.tests.SignalsTests.test_request_signals", "loop", ENVIRON),
    ("test_client.tests.ClientTest.test_response_attached_request", "loop", ENVIRON),
    ("test_client.tests.ClientTest.test_trace", "loop", ENVIRON),
    ("auth_tests.test_remote_user.*", "loop", ENVIRON),
    ("middleware_exceptions.tests.MiddlewareNotUsedTests.test_log*", "loop", LOGS),
    ("middleware_exceptions.tests.MiddlewareSyncAsyncTests.test_async_middleware", "loop", LOGS),
    ("i18n.patterns.tests.URLRedirectWithScriptAliasTests.*", "loop", PREFIX),
    ("admin_views.tests.AdminSiteFinalCatchAllPatternTests.*script_name*", "loop", PREFIX),
    *((("file_uploads.tests.DirectoryCreationTests.test_readonly_root", "both", ROOT),) if os.geteuid() == 0 else ()),
)  # fmt: skip
