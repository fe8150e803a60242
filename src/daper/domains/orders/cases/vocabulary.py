"""The words that generated cases are written with: customers, goods, addresses, and notes that mean nothing."""

FIRST_NAMES = (
    "Ambrose", "Beatrix", "Cassius", "Dorcas", "Elphias", "Fabian", "Griselda", "Hestia", "Ignatius", "Jocunda",
    "Kennilworthy", "Lavinia", "Mordecai", "Nerissa", "Orla", "Perpetua", "Quentin", "Rowena", "Silvanus", "Tilden",
    "Urquhart", "Verity", "Wilhelmina", "Yardley",
)  # fmt: skip
SURNAMES = (
    "Abbott", "Bagshot", "Clearwater", "Dearborn", "Edgecombe", "Fawley", "Goldstein", "Hopkirk", "Inglebee", "Jorkins",
    "Kirke", "Lovage", "Macmillan", "Nettles", "Ollerton", "Podmore", "Quigley", "Runcorn", "Sprout", "Toots", "Urwin",
    "Vance", "Wimple", "Yaxley",
)  # fmt: skip
MAKES = ("Brass", "Copper", "Folding", "Pewter", "Plain", "Polished", "Sturdy", "Travelling", "Walnut", "Woollen")
GOODS = (
    "Cauldron", "Cloak Pin", "Crystal Phial", "Eagle Quill", "Hourglass", "Ink Bottle", "Lantern", "Mortar", "Notebook",
    "Owl Perch", "Pair of Scales", "Parchment Roll", "Scarf", "Stirring Rod", "Telescope", "Trunk Strap",
)  # fmt: skip
STREETS = (
    "Diagon Alley", "Horizont Alley", "High Street, Hogsmeade", "Church Lane, Godric's Hollow",
    "Mill Road, Ottery St Catchpole", "Harbour Row, Tinworth", "Station Road, Upper Flagley",
)  # fmt: skip
PAYMENTS = ("Gringotts Vault Transfer", "Galleons by owl", "Standing order on a vault", "Gringotts draft")
NOTES = (
    "", "", "", "Please knock twice.", "A present; please leave the price off.",
    "The owl may leave it with a neighbour.", "After four in the afternoon, please.", "No hurry at all.",
)  # fmt: skip
MAKERS = ("Tin & Pin Works", "Scrivenshaft's", "Cauldron Founders", "Dogweed and Deathcap", "Wiseacre's", "Potage's")
