"""A pair of keys that everybody knows, for settings and packages that parse one as they are loaded.

RSA of 2048 bits, which the algorithms of that family all take, in PEM (RFC 7468). Nothing is ever signed with it: it
stands in the step of a build that collects static files, and in no image.
"""

from __future__ import annotations

PRIVATE = """\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC0CbOIqZ5vlPoW
gxvxSur+B7OG1+bRYrzv+fBC0kc9TezTLEcsGCCUSTANlfXLLFyrVu+BZz8JzAS8
NK2nw+KnSd7SL6rfVXg/5NRW8nxLmoqe5qpfFpC2+Z6MKqsbrjiZSKp1mfji6avl
2HXMdCdXxr4M+R3sHs0C+Cd3uGdIjkoed6EfEf4v2TPgTQ7mDc6jhq/ik2dEY+cF
25xdjeGUJaBJDYGBn8iSDBDLc7FBC/EWzx0CfNFhR/8jONLplTYIXY0Ov5rTWqdC
EapBe8ITT6raXaX/MPO8FYB2ZeZbUkOgODosVFhoiK/6NLreDjRtTWmgehtbCYCe
A2fnbBl3AgMBAAECggEADuiawF9jalQI3aJfxvxwNzcGC82HJKGriafF2JK3KYFx
cg9BmYop8H2bCBT59KgoyFt7m9ij5LjLT5aBJtpWw4mfdQJTgQj/2zKkzspnto8G
mZ/6TcN9mllTYsIJx1IHB9J3oyNr88Zr4K2rG5Imy+L+S+65JptqWKuaART5II3c
SM8kxXIh8k/eSsAkK3mVdO+6ZOSqWJV2BZgNiKonqMlumkJzAvyYGTVdvk99fk8b
makOe4Tp74v5hHcxBacMvU4Mqc0QU0Xu7HJCyEGcxMyovUgEMPW8ak8f4F5OkNUc
bJSXSy85WOL+BEs2cT1MxTarYQWt3gkq1ucrH3I+2QKBgQDgCmWW2vURMjvdrWQF
7NsKGYHYrRA+1TEk+R+w1m41nHmV3P5sJa4J4RqSjhEPI/715iZmQru4bW56tNgP
PhJ5siS/zWzw7/oL+oJsPJPOdUJtzhkKlcrMLF3iqNF5AuWXrs5gTftlUS8pNysy
XXHtxYB7yRyggxrqwsTaRPPN+wKBgQDNuGVdZtX2EuXPltirl4SE7WaQhEk4UcW3
SsLZJO1fILT8JMe/TDUmJdAA65QsMa74++PoTJb/vb+F01a9r8CzW4PabE8eq0c4
D1KFjdOShNeIJdi0FWPTT5XtW7LzQkTk2LHjUD4JZevnf0m/AukSIRrgLRK32Yi/
dVp6Q+u1tQKBgDwgDityD5rR1GclhVZhvlbziXlQ2K9EH7BAe1TF90XD/I1PhagY
ZKCaHLuADOv3SRFM9rky55YTKDceGW3dxq+KM3qV8sqmXICidiX+C9y4c19slCPX
F1m7/mY50B2dvWf7rb8Crpj+NJ3nBFy73ztkaZrO2jPpe2vNYW8CWjvJAoGBAMo+
1Hik1wjav0/8rvrTNRcyBbliNFHIIqb2OuUb5rm0//k7d5zcIQxl9D5TXBKuraRe
j0sbsP+v3hCFGyvVE4/BErmz7XzrSlMUzT47lprfOr3A53Dz7nYaMf1uP1nj9rM9
TnV5t+OpbejjPO8qv1Rxc2idJ1/T3xrLFq5JA/xZAoGAPFAEEJr9QhKDkGJ3OYJf
TWoDZ0KgkYEMm9FP6t0MxYLj74IKr7aDfwDOo35Sd1X9N4xSjG3yhQQpk2BFS6hj
W22dzydwLYhjrx/S/onYq6WF7HEmAR0nh9+kbiNuyx4eb5hoNjN1AMu0Xbg3AJDF
Bgo73yvwPFXJPQGRhgAT8Rs=
-----END PRIVATE KEY-----"""

PUBLIC = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtAmziKmeb5T6FoMb8Urq
/gezhtfm0WK87/nwQtJHPU3s0yxHLBgglEkwDZX1yyxcq1bvgWc/CcwEvDStp8Pi
p0ne0i+q31V4P+TUVvJ8S5qKnuaqXxaQtvmejCqrG644mUiqdZn44umr5dh1zHQn
V8a+DPkd7B7NAvgnd7hnSI5KHnehHxH+L9kz4E0O5g3Oo4av4pNnRGPnBducXY3h
lCWgSQ2BgZ/IkgwQy3OxQQvxFs8dAnzRYUf/IzjS6ZU2CF2NDr+a01qnQhGqQXvC
E0+q2l2l/zDzvBWAdmXmW1JDoDg6LFRYaIiv+jS63g40bU1poHobWwmAngNn52wZ
dwIDAQAB
-----END PUBLIC KEY-----"""
