"""``stethoscope alertmanager``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from stethoscope.command import CommandError
from stethoscope.signals import files, options
from stethoscope.signals.alertmanager import DEFAULT_RECEIVERS as _DEFAULT
from stethoscope.signals.alertmanager import Receivers
from stethoscope.signals.config import ConfigError

_NEEDS: Final = (
    ("--slack-channel", "--slack-url-file", "FILE"),
    ("--email-from", "--email", "ADDRESS"),
    ("--smtp", "--email", "ADDRESS"),
)
"""Options that say more of another."""


def add_arguments(parser: ArgumentParser) -> None:
    options.add(parser)
    add_argument = parser.add_argument
    add_argument(
        "--page-webhook",
        metavar="URL",
        default=_DEFAULT.page,
        help="webhook that is called for critical alerts, such as a pager's",
    )
    add_argument(
        "--chat-webhook",
        metavar="URL",
        default=_DEFAULT.chat,
        help="webhook that is called for all alerts, except hints outside working hours",
    )
    add_argument(
        "--deadman-webhook",
        metavar="URL",
        default=_DEFAULT.deadman,
        help="webhook that waits for the watchdog's sign of life",
    )
    add_argument("--slack-url-file", metavar="FILE", help="file that holds the address of a Slack webhook")
    add_argument("--slack-channel", metavar="NAME", help=f"channel in Slack (default: {_DEFAULT.slack_channel})")
    add_argument("--email", metavar="ADDRESS", help="address that critical alerts are mailed to")
    add_argument("--email-from", metavar="ADDRESS", help=f"sender of that mail (default: {_DEFAULT.email_from})")
    add_argument("--smtp", metavar="HOST:PORT", help=f"mail server (default: {_DEFAULT.smtp})")


def run(arguments: Namespace) -> int:
    _require_whole(arguments)
    try:
        receivers = Receivers(
            page=arguments.page_webhook,
            chat=arguments.chat_webhook,
            deadman=arguments.deadman_webhook,
            slack_url_file=arguments.slack_url_file,
            slack_channel=_chosen(arguments.slack_channel, _DEFAULT.slack_channel),
            email=arguments.email,
            email_from=_chosen(arguments.email_from, _DEFAULT.email_from),
            smtp=_chosen(arguments.smtp, _DEFAULT.smtp),
        )
    except ConfigError as error:
        raise CommandError(str(error)) from None
    return options.write(lambda config: files.alertmanager(config, receivers), arguments)


def _require_whole(arguments: Namespace) -> None:
    """Raises `CommandError` for what says how to tell somebody, where nobody is to be told in that way."""
    for option, needed, metavar in _NEEDS:
        if _given(arguments, option) is not None and _given(arguments, needed) is None:
            raise CommandError(f"{option} does nothing without {needed}: expected {needed} {metavar} too")


def _given(arguments: Namespace, option: str) -> str | None:
    value: str | None = getattr(arguments, option.removeprefix("--").replace("-", "_"))
    return value


def _chosen(given: str | None, default: str) -> str:
    return default if given is None else given
