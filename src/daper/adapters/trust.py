"""Which variables of the environment say whom TLS trusts, where that is not what the system says."""

import os
import ssl


def said_by_variables() -> str:
    """What SSL_CERT_FILE and SSL_CERT_DIR name, in words; nothing where neither counts, or where nobody can tell."""
    paths = ssl.get_default_verify_paths()
    told = [
        _told(paths.openssl_cafile_env, paths.cafile, paths.openssl_cafile, there=os.path.isfile(paths.openssl_cafile)),
        _told(paths.openssl_capath_env, paths.capath, paths.openssl_capath, there=os.path.isdir(paths.openssl_capath)),
    ]
    return " and ".join(each for each in told if each)


def _told(variable: str, found: str | None, usual: str, *, there: bool) -> str:
    """`found`: what counts, if that is there; `usual`: what would without the variable."""
    if found is None:
        return f"{variable} names nothing that is there" if there else ""
    return f"{variable} is {found!r}" if found != usual else ""
