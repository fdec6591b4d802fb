"""The OAuth 2.0 client as pure functions: RFC 6749, 7636, 7009, 9207 and 9700."""
