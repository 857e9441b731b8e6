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
    add_argument("--page-webhook", metavar="URL", default=_DEFAULT.page, help="what wakes somebody for critical alerts")
    add_argument("--chat-webhook", metavar="URL", default=_DEFAULT.chat, help="where all but hints at night go")
    add_argument("--deadman-webhook", metavar="URL", default=_DEFAULT.deadman, help="what waits for the watchdog")
    add_argument("--slack-url-file", metavar="FILE", help="file with the address of a Slack webhook")
    add_argument("--slack-channel", metavar="NAME", default=_DEFAULT.slack_channel, help="default: #alerts")
    add_argument("--email", metavar="ADDRESS", help="who is written to for critical alerts")
    add_argument("--email-from", metavar="ADDRESS", default=_DEFAULT.email_from, help="who writes")
    add_argument("--smtp", metavar="HOST:PORT", default=_DEFAULT.smtp, help="through which server")


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
