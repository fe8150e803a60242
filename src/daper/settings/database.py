"""The database that all is kept in, where one is configured."""

from collections.abc import Mapping

from daper.stores.sql.address import VARIABLE, check_address, need_driver


def database_url_of(values: Mapping[str, str]) -> str | None:
    """DAPER_DATABASE_URL; None where it is not set. Raises SettingError, in which there is no password."""
    url = values.get(VARIABLE)
    if url is not None:
        check_address(url)
        need_driver()
    return url
