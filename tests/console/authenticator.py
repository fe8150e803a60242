"""A device that has passkeys, in a browser: its person is there and agrees at once."""

from playwright.async_api import Page


async def give_authenticator(page: Page) -> None:
    """Plug one in."""
    device = await page.context.new_cdp_session(page)
    await device.send("WebAuthn.enable")
    await device.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }})  # fmt: skip
