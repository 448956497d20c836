"""What a passive strategy gets in a recorded day, worked out from the two files alone.

    python3 goog_passive.py MESSAGES ORDERBOOK

MESSAGES and ORDERBOOK are LOBSTER's files of one day, plain or gzip. The strategy has at most one
order. At every whole second, before the first event that is not earlier, it looks at the best bid. If
its order stands there, it does nothing. Otherwise it cancels what is left of it and enters an order to
buy 100 shares at the best bid. It stands there behind all that stands there.

Printed is a line for each fill: nanoseconds since midnight, price in 1/10,000, shares, and the event
behind it: "order" and its number where it came, "row" and the row from 1 where something was executed.
"""

import gzip
import sys

SECOND = 10**9


def lines(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        yield from file


def nanoseconds(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * SECOND + int(fraction.ljust(9, "0"))


def best_bid(row):
    fields = row.split(",")
    price, shares = int(fields[2]), int(fields[3])
    return price if shares > 0 and price > 0 else None


def fills(messages, books):
    price, left, joined = None, 0, 0  # the strategy's order, and the row before which it came
    bid, second = None, None
    came = {}  # the row in which an order was entered
    for row, (message, book) in enumerate(zip(lines(messages), lines(books))):
        text, kind, order, shares, at, direction = message.strip().split(",")
        time, kind, order, shares, at = nanoseconds(text), int(kind), int(order), int(shares), int(at)
        buys = direction == "1"
        if row == 0:
            second = (time // SECOND + 1) * SECOND
        else:
            if time >= second:
                if bid is not None and not (left > 0 and price == bid):
                    price, left, joined = bid, 100, row
                second = (time // SECOND + 1) * SECOND
            if kind == 1:
                came[order] = row
            if left > 0:
                # A seller who comes at or below the price; an execution of a bid that is worse, or of
                # one that came later; a hidden execution at or below the price.
                meets = kind == 1 and not buys and at <= price
                behind = at < price or at == price and came.get(order, -1) >= joined
                executes = kind == 4 and buys and behind
                hidden = kind == 5 and at <= price
                if meets or executes or hidden:
                    filled = min(left, shares)
                    left -= filled
                    event = f"order {order}" if meets else f"row {row + 1}"
                    yield time, price, filled, event
        bid = best_bid(book)


if __name__ == "__main__":
    for fill in fills(sys.argv[1], sys.argv[2]):
        print(*fill, sep=",")
