"""Commands with random ids as arguments: an id that begins with `-` is not an option."""

from __future__ import annotations

import re

import click

# The ids of rows: 128 bits in base64url. Older ones begin with any character of that alphabet.
_ROW_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_SHORT = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]*")


class IdCommand(click.Command):
    """A command whose arguments are random ids.

    Click would read `-Uxyz` as options. Here an argument is an id if it has the form of one, or if
    it begins with one `-` and the command has no option of that letter. So `-c` with its value in
    the same word is an id if the word has exactly the form of one.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the ids behind a `--`, where Click reads every word as an argument.

        Raises:
            click.UsageError: an id has characters that no id has.
        """
        options: list[str] = []
        ids: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                ids.extend(words)
            elif self._is_id(ctx, word):
                ids.append(word)
            else:
                options.append(word)
                if self._takes_value(word):
                    value = next(words, None)
                    if value is None:
                        # Click reports it; a `--` behind it would be taken as the value.
                        return super().parse_args(ctx, options)
                    options.append(value)
        if not "".join(ids).isascii():
            raise click.UsageError("an id consists of letters, digits, _ and -", ctx)
        return super().parse_args(ctx, [*options, "--", *ids])

    def _is_id(self, ctx: click.Context, word: str) -> bool:
        if not word.startswith("-"):
            return True
        names = {name for one in self.get_params(ctx) for name in one.opts}
        if word in names:
            return False
        return _ROW_ID.fullmatch(word) is not None or (
            _SHORT.fullmatch(word) is not None and word[:2] not in names
        )

    def _takes_value(self, word: str) -> bool:
        return any(
            isinstance(one, click.Option) and word in one.opts and not one.is_flag
            for one in self.params
        )
