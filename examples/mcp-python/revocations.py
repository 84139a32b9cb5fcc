"""Follows Countersign's list of revocations, so that tokens end within about a second: copy it beside your server."""

import logging
import os
import threading
import time

import httpx2
import jwt

CLAIMS = ("jti", "sub", "teamspace_id", "identity_provider_id", "client_id")  # an item names one of them
KEPT = 65 * 60  # seconds, after which every token that an item concerns has expired
NEVER = (float("-inf"), 0)
log = logging.getLogger(__name__)


class NotKnown(Exception):
    """Nobody knows at present which tokens are over. That is not the token's fault: answer 503."""


class Revocations:
    """Which tokens are over. Without credentials in the environment it follows nothing, and refuses nothing."""

    def __init__(self, issuer: str):
        self.ended = {}  # (claim, value): tokens issued before a time are over, and when we heard of it
        self.current = float("-inf")  # when all of the list was known; nothing is, at the start
        self.patience = int(os.environ.get("MAX_STALENESS", "30"))
        self.follows = "RESOURCE_CREDENTIAL_ID" in os.environ
        if self.follows:
            credentials = os.environ["RESOURCE_CREDENTIAL_ID"], os.environ["RESOURCE_CREDENTIAL_SECRET"]
            threading.Thread(target=self.follow, args=(issuer, credentials), daemon=True).start()

    def check(self, claims: dict) -> None:
        """Refuses a verified token that is over, and every token while nobody knows."""
        if self.follows and time.monotonic() - self.current > self.patience:
            raise NotKnown
        for key in (("all", ""), *((name, claims.get(name)) for name in CLAIMS)):
            if claims.get("iat", 0) < self.ended.get(key, NEVER)[0]:
                raise jwt.InvalidTokenError("the token is over")

    def follow(self, issuer: str, credentials: tuple[str, str]) -> None:
        query = {"wait": min(max(self.patience // 3, 1), 25)}
        with httpx2.Client(auth=credentials, timeout=query["wait"] + 5) as http:
            while True:
                try:
                    answer = http.get(f"{issuer}/oauth2/revocations", params=query).raise_for_status().json()
                    self.add(answer["items"])
                    query["since"] = answer["cursor"]
                    if not answer.get("more"):
                        self.current = time.monotonic()
                except Exception as error:  # whatever it is, nothing is known until there is an answer
                    log.warning("the revocations cannot be read: %r", error)
                    time.sleep(1)

    def add(self, items: list[dict]) -> None:
        now = time.monotonic()
        ended = {key: known for key, known in self.ended.items() if now - known[1] < KEPT}
        for item in items:
            # An item that names none of the claims is for all tokens, as is one of a kind that came later.
            key = next(((name, item[name]) for name in CLAIMS if name in item), ("all", ""))
            before = item.get("not_before", float("inf"))  # a single token is over whenever it was issued
            ended[key] = (max(before, ended.get(key, NEVER)[0]), now)
        self.ended = ended
