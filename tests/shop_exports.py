"""Files of the shape that shop systems give out, with fictional customers; columns and fields are named as there."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Final


def columns(line: str) -> list[str]:
    """The names in the first line of a file."""
    return line.split(",")


SHOPIFY_COLUMNS: Final = columns(
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,"
    "Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,"
    "Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,"
    "Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,"
    "Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,Id,Tags,Risk Level,Source,"
    "Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Tax 3 Name,Tax 3 Value,Tax 4 Name,Tax 4 Value,"
    "Tax 5 Name,Tax 5 Value,Phone,Receipt Number,Duties,Billing Province Name,Shipping Province Name,Payment ID,"
    "Payment Terms Name,Next Payment Due At,Payment References"
)


def table(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """A CSV file with these rows, all columns in their order."""
    made = io.StringIO(newline="")
    writer = csv.DictWriter(made, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


def _shopify(name: str, financial: str, fulfillment: str = "unfulfilled", **fields: object) -> dict[str, object]:
    return {
        "Name": name,
        "Email": "luna@owls.example",
        "Financial Status": financial,
        "Fulfillment Status": fulfillment,
        "Accepts Marketing": "no",
        "Currency": "GBP",
        "Subtotal": "12.50",
        "Shipping": "0.00",
        "Taxes": "0.00",
        "Total": "12.50",
        "Discount Amount": "0.00",
        "Created at": "2026-11-20 16:20:00 +0100",
        "Lineitem quantity": "1",
        "Lineitem name": 'Ink, "black"',
        "Lineitem price": "12.50",
        "Lineitem sku": "INK-1",
        "Billing Name": "Luna Lovegood",
        "Billing Zip": "'75008",
        "Payment Method": "Shopify Payments",
        "Refunded Amount": "0.00",
        **fields,
    }


_NOTES: Final = "Please leave it\nwith the owl"
SHOPIFY_ORDERS: Final = table(
    SHOPIFY_COLUMNS,
    [
        _shopify(
            "#1001",
            "paid",
            **{
                "Subtotal": "30.00",
                "Shipping": "4.00",
                "Total": "34.00",
                "Discount Code": "OWL",
                "Discount Amount": "2.50",
                "Lineitem quantity": "2",
                "Lineitem name": "Quill - Blue",
                "Lineitem price": "10.00",
                "Lineitem sku": "QLL-1",
                "Notes": _NOTES,
            },
        ),
        {
            "Name": "#1001",
            "Email": "luna@owls.example",
            "Created at": "2026-11-20 16:20:00 +0100",
            "Lineitem quantity": "1",
            "Lineitem name": 'Ink, "black"',
            "Lineitem price": "12.50",
            "Lineitem sku": "INK-1",
            "Vendor": "Scrivenshaft's",
        },
        _shopify("#1002", "pending", **{"Email": "", "Phone": "+44 20 7946 0000", "Payment Method": "Bank Deposit"}),
        _shopify("#1003", "voided", **{"Lineitem sku": "", "Lineitem name": "Gift wrapping"}),
        _shopify("#1004", "refunded", **{"Cancelled at": "2026-11-21 10:00:00 +0100"}),
        _shopify("#1005", "paid", "fulfilled"),
        _shopify("#1006", "paid", "partial"),
        _shopify("#1007", "refunded"),
    ],
)

_PRODUCT_COLUMNS: Final = columns(
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,"
    "Variant Inventory Qty,Variant Inventory Policy,Variant Fulfillment Service,Variant Price,"
    "Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Variant Barcode,Image Src,Image Position,"
    "Image Alt Text,Gift Card,SEO Title,SEO Description,Variant Image,Variant Weight Unit,Variant Tax Code,"
    "Cost per item,Status"
)


def _variant(handle: str, sku: str, quantity: str, **fields: object) -> dict[str, object]:
    return {
        "Handle": handle,
        "Variant SKU": sku,
        "Variant Inventory Tracker": "shopify",
        "Variant Inventory Qty": quantity,
        "Variant Price": "10.00",
        "Cost per item": "4.20",
        **fields,
    }


SHOPIFY_PRODUCTS: Final = table(
    _PRODUCT_COLUMNS,
    [
        _variant("quill", "QLL-1", "1", Title="Quill", Vendor="Scrivenshaft's", Status="active"),
        _variant("quill", "QLL-2", "0"),
        {"Handle": "quill", "Image Src": "https://shop.example/quill.png", "Image Position": "2"},
        _variant("ink", "INK-1", "-5", Title="Ink", Vendor="Scrivenshaft's"),
        _variant("wrap", "WRAP", "0", Title="Gift wrapping", **{"Variant Inventory Tracker": ""}),
    ],
)
SHOPIFY_INVENTORY: Final = table(
    columns(
        "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,SKU,HS Code,COO,"
        "Location,Bin name,Incoming (not editable),Unavailable (not editable),Committed (not editable),"
        "Available (not editable),On hand (current),On hand (new)"
    ),
    [
        {"Handle": "quill", "Title": "Quill", "SKU": "QLL-1", "Location": "Hogsmeade", "On hand (current)": "12"},
        {"Handle": "ink", "Title": "Ink", "SKU": "INK-1", "Location": "Hogsmeade", "On hand (current)": "0"},
        {"Handle": "quill", "Title": "Quill", "SKU": "QLL-1", "Location": "Diagon Alley", "On hand (current)": "3"},
        {
            "Handle": "ink",
            "Title": "Ink",
            "SKU": "INK-1",
            "Location": "Diagon Alley",
            "On hand (current)": "not stocked",
        },
    ],
)

SHOPIFY_API_ORDERS: Final = json.dumps(
    {
        "orders": [
            {
                "id": 450789469,
                "name": "#2001",
                "email": "neville@herbs.example",
                "created_at": "2026-11-20T16:20:00+01:00",
                "cancelled_at": None,
                "currency": "GBP",
                "financial_status": "paid",
                "fulfillment_status": None,
                "taxes_included": True,
                "subtotal_price": "27.00",
                "total_line_items_price": "30.00",
                "total_discounts": "3.00",
                "total_tax": "4.50",
                "total_price": "32.00",
                "total_shipping_price_set": {"shop_money": {"amount": "5.00", "currency_code": "GBP"}},
                "payment_gateway_names": ["gift_card", "Cash on Delivery (COD)"],
                "customer": {"first_name": "Neville", "last_name": "Longbottom", "email": "neville@herbs.example"},
                "billing_address": None,
                "line_items": [
                    {
                        "id": 1,
                        "sku": "MIMB-1",
                        "variant_id": 901,
                        "name": "Mimbulus",
                        "quantity": 2,
                        "current_quantity": 1,
                        "price": "15.00",
                    },
                    {"id": 2, "sku": None, "variant_id": 902, "name": "Soil", "quantity": 1.5, "price": "10.00"},
                ],
            },
            {
                "name": "#2002",
                "email": "",
                "phone": None,
                "customer": None,
                "created_at": "2026-11-21T16:20:00+01:00",
                "financial_status": "expired",
                "fulfillment_status": None,
                "total_price": "1.00",
                "line_items": [],
            },
            {
                "name": "#2003",
                "created_at": "2026-11-22T16:20:00+01:00",
                "financial_status": "partially_paid",
                "fulfillment_status": None,
                "total_price": "1.00",
                "line_items": [{"sku": "MIMB-1", "name": "Mimbulus", "quantity": 1, "price": "1.00"}],
            },
        ]
    }
)
SHOPIFY_API_PRODUCTS: Final = json.dumps(
    {
        "products": [
            {
                "id": 1,
                "title": "Mimbulus",
                "vendor": "Sprout",
                "variants": [
                    {
                        "id": 901,
                        "title": "Default Title",
                        "sku": "MIMB-1",
                        "inventory_management": "shopify",
                        "inventory_quantity": 4,
                    },
                    {"id": 902, "title": "Soil", "sku": "", "inventory_management": None, "inventory_quantity": 0},
                ],
            }
        ]
    }
)


def _woo(number: str, status: str, **fields: object) -> dict[str, object]:
    return {
        "id": int(number),
        "number": number,
        "status": status,
        "currency": "GBP",
        "prices_include_tax": False,
        "date_created": "2026-11-20T17:20:00",
        "date_created_gmt": "2026-11-20T16:20:00",
        "discount_total": "0.00",
        "shipping_total": "0.00",
        "total_tax": "0.00",
        "total": "5.00",
        "payment_method": "cod",
        "payment_method_title": "Cash on delivery",
        "customer_note": "",
        "billing": {
            "first_name": "Molly",
            "last_name": "Weasley",
            "company": "",
            "email": "molly@burrow.example",
            "phone": "",
        },
        "shipping": {"first_name": "", "last_name": ""},
        "line_items": [
            {
                "id": 1,
                "name": "Wool",
                "product_id": 812,
                "variation_id": 0,
                "quantity": 1,
                "sku": "WOOL-1",
                "subtotal": "5.00",
                "total": "5.00",
                "price": 5,
            }
        ],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [],
        **fields,
    }


WOO_ORDERS: Final = json.dumps(
    [
        _woo(
            "727",
            "processing",
            discount_total="2.00",
            shipping_total="3.00",
            total_tax="1.90",
            total="14.40",
            line_items=[
                {
                    "name": "Wool",
                    "product_id": 812,
                    "variation_id": 0,
                    "quantity": 1,
                    "sku": "WOOL-1",
                    "subtotal": "5.00",
                },
                {
                    "name": "Jumper - R",
                    "product_id": 800,
                    "variation_id": 813,
                    "quantity": 1,
                    "sku": "",
                    "subtotal": "5.00",
                },
                {"name": "A hug", "product_id": 814, "variation_id": 0, "quantity": 1, "sku": None, "subtotal": "0.00"},
            ],
            fee_lines=[{"name": "Owl", "total": "1.50"}],
            refunds=[{"id": 1, "reason": "", "total": "-5.00"}],
        ),
        _woo("728", "pending"),
        _woo("729", "wc-awaiting-owl"),
        _woo("730", "on-hold"),
        _woo("731", "checkout-draft"),
        _woo("732", "Cancelled by customer"),
        _woo("733", "complete"),
    ]
)
WOO_PRODUCTS: Final = json.dumps(
    [
        {
            "id": 812,
            "sku": "WOOL-1",
            "name": "Wool",
            "manage_stock": True,
            "stock_quantity": 7,
            "stock_status": "instock",
        },
        {
            "id": 813,
            "sku": "",
            "name": "Jumper",
            "manage_stock": False,
            "stock_quantity": None,
            "stock_status": "outofstock",
        },
        {
            "id": 814,
            "sku": "",
            "name": "A hug",
            "manage_stock": False,
            "stock_quantity": None,
            "stock_status": "instock",
        },
    ]
)

_GRID_COLUMNS: Final = columns(
    "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),Grand Total (Purchased),Status,"
    "Billing Address,Shipping Address,Shipping Information,Customer Email,Customer Group,Subtotal,"
    "Shipping and Handling,Customer Name,Payment Method,Total Refunded,Allocated sources,Pickup Location Code"
)


def _grid(number: str, status: str) -> dict[str, object]:
    return {
        "ID": number,
        "Purchase Point": "Main Website\n   Main Website Store\n      Default Store View\n",
        "Purchase Date": "Nov 18, 2026 4:20:00 PM",
        "Bill-to Name": "Minerva McGonagall",
        "Grand Total (Base)": "$1,205.00",
        "Grand Total (Purchased)": "$1,205.00",
        "Status": status,
        "Customer Email": "minerva@hogwarts.example",
        "Subtotal": "$1,200.00",
        "Shipping and Handling": "$5.00",
        "Customer Name": "Minerva McGonagall",
        "Payment Method": "checkmo",
        "Total Refunded": "$0.00",
    }


MAGENTO_GRID: Final = table(
    _GRID_COLUMNS,
    [_grid("000000101", "Pending"), _grid("000000102", "Complete"), _grid("000000103", "Suspected Fraud")],
)
_LINE_COLUMNS: Final = columns(
    "increment_id,status,state,created_at,customer_email,customer_firstname,customer_lastname,order_currency_code,"
    "subtotal,discount_amount,gift_cards_amount,shipping_amount,tax_amount,grand_total,total_refunded,payment:method,"
    "item:item_id,item:parent_item_id,item:sku,item:name,item:product_type,item:qty_ordered,item:price,item:row_total"
)


def _item(
    number: str, sku: str, name: str, quantity: str, price: str, total: str, parent: str = ""
) -> dict[str, object]:
    return {
        "item:item_id": number,
        "item:parent_item_id": parent,
        "item:sku": sku,
        "item:name": name,
        "item:qty_ordered": quantity,
        "item:price": price,
        "item:row_total": total,
    }


_MAGENTO_ORDER: Final = {
    "increment_id": "000000201",
    "status": "processing",
    "created_at": "2026-11-18 16:20:00",
    "customer_email": "minerva@hogwarts.example",
    "customer_firstname": "Minerva",
    "customer_lastname": "McGonagall",
    "order_currency_code": "GBP",
    "subtotal": "34.0000",
    "discount_amount": "-5.0000",
    "gift_cards_amount": "10.0000",
    "shipping_amount": "5.0000",
    "tax_amount": "0.0000",
    "grand_total": "24.0000",
    "payment:method": "checkmo",
}
MAGENTO_LINES: Final = table(
    _LINE_COLUMNS,
    [
        {**_MAGENTO_ORDER, **_item("1", "CAULDRON-2", "Cauldron", "1.5000", "20.0000", "30.0000")},
        _item("2", "CAULDRON-2", "Cauldron Size 2", "1.5000", "0.0000", "0.0000", "1"),
        _item("3", "LADLE", "Ladle", "1.0000", "4.0000", "4.0000"),
        {
            **_MAGENTO_ORDER,
            "increment_id": "000000202",
            "status": "holded",
            "subtotal": "4.0000",
            "discount_amount": "0.0000",
            "gift_cards_amount": "0.0000",
            "grand_total": "9.0000",
            **_item("4", "LADLE", "Ladle", "1.0000", "4.0000", "4.0000"),
        },
    ],
)
MAGENTO_PRODUCTS: Final = table(
    columns(
        "sku,store_view_code,attribute_set_code,product_type,categories,product_websites,name,price,qty,"
        "out_of_stock_qty,is_qty_decimal,allow_backorders,is_in_stock,manage_stock,use_config_manage_stock"
    ),
    [
        {
            "sku": "CAULDRON",
            "product_type": "configurable",
            "name": "Cauldron",
            "qty": "0.0000",
            "manage_stock": "1",
            "use_config_manage_stock": "1",
        },
        {
            "sku": "CAULDRON-2",
            "product_type": "simple",
            "name": "Cauldron Size 2",
            "qty": "12.0000",
            "manage_stock": "1",
            "use_config_manage_stock": "1",
        },
        {"sku": "CAULDRON-2", "store_view_code": "de", "product_type": "simple", "name": "Kessel"},
        {
            "sku": "LADLE",
            "product_type": "simple",
            "name": "Ladle",
            "qty": "0.0000",
            "manage_stock": "0",
            "use_config_manage_stock": "0",
        },
    ],
)
MAGENTO_SOURCES: Final = table(
    ("source_code", "sku", "status", "quantity"),
    [
        {"source_code": "default", "sku": "CAULDRON-2", "status": "1", "quantity": "7.5000"},
        {"source_code": "hogsmeade", "sku": "CAULDRON-2", "status": "1", "quantity": "2.0000"},
        {"source_code": "closed", "sku": "CAULDRON-2", "status": "0", "quantity": "100.0000"},
    ],
)
PLAIN_STOCK: Final = json.dumps({"inventory": [{"item_id": "QLL-1", "item_name": "Quill", "current_stock": 3}]})


def shopify_line(
    name: str, quantity: str, title: str, price: str, sku: str = "", **fields: object
) -> dict[str, object]:
    """A further row of an order of Shopify."""
    return {
        "Name": name,
        "Email": "luna@owls.example",
        "Lineitem quantity": quantity,
        "Lineitem name": title,
        "Lineitem price": price,
        "Lineitem sku": sku,
        **fields,
    }


def shopify_orders(*rows: Mapping[str, object]) -> str:
    """An export with these rows."""
    return table(SHOPIFY_COLUMNS, rows)


def shopify_products(*rows: Mapping[str, object]) -> str:
    """An export with these rows."""
    return table(_PRODUCT_COLUMNS, rows)


def magento_lines(*rows: Mapping[str, object]) -> str:
    """An export with these rows; `{**MAGENTO_ORDER, **magento_item(...)}` begins an order."""
    return table((*_LINE_COLUMNS, "item:is_virtual"), rows)


shopify_order, shopify_variant, magento_item, MAGENTO_ORDER, woo_order = _shopify, _variant, _item, _MAGENTO_ORDER, _woo
