"""The OAuth 2.0 client, pure: RFC 6749, 7636, 7009, 9207, 9700. Bytes in, values out."""
