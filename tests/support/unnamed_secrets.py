"""Surroundings of a secret that no name and no rule introduces; the value stands in place of `@@`."""

from __future__ import annotations

from typing import Final

UNNAMED: Final = (
    "@@",
    "bob @@",
    "bob / @@",
    "grafana: bob @@",
    "creds for the shop: bob / @@",
    "log in as bob, @@",
    "the wi-fi of the office @@",
    "pw manager of the team generated @@ for it",
    "2026-03-14 09:30:00 WARN weak password @@ for the shop",
    "@@ is the new password",
    '["mysql", "-h", "db", "-p@@"]',
    '"AUTH" "worker" "@@"',
    "334 UGFzc3dvcmQ6\n@@",
    ".shop.example\tTRUE\t/\tFALSE\t1799999999\tvisit\t@@",
    "password = kQ7v-12xZ\nEnable: @@",
    "recovery codes:\n- @@\n- ab1cd-ef2gh",
    "user,city\nbob,@@",
)
