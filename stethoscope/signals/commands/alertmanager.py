"""``stethoscope alertmanager``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stethoscope.command import CommandError
from stethoscope.signals import files, options
from stethoscope.signals.alertmanager import DEFAULT_RECEIVERS as _DEFAULT
from stethoscope.signals.alertmanager import Receivers
from stethoscope.signals.config import ConfigError


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
    add_argument(
        "--slack-channel", metavar="NAME", default=_DEFAULT.slack_channel, help="channel in Slack (default: #alerts)"
    )
    add_argument("--email", metavar="ADDRESS", help="address that critical alerts are mailed to")
    add_argument("--email-from", metavar="ADDRESS", default=_DEFAULT.email_from, help="sender of that mail")
    add_argument("--smtp", metavar="HOST:PORT", default=_DEFAULT.smtp, help="mail server")


def run(arguments: Namespace) -> int:
    try:
        receivers = Receivers(
            page=arguments.page_webhook,
            chat=arguments.chat_webhook,
            deadman=arguments.deadman_webhook,
            slack_url_file=arguments.slack_url_file,
            slack_channel=arguments.slack_channel,
            email=arguments.email,
            email_from=arguments.email_from,
            smtp=arguments.smtp,
        )
    except ConfigError as error:
        raise CommandError(str(error)) from None
    return options.write(lambda config: files.alertmanager(config, receivers), arguments)
