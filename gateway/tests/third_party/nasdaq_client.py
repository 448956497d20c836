"""Trades over SoupBinTCP with Nasdaq's own client package: python nasdaq_client.py PORT ORDER_HEX

Prints one line for each message that comes, in hexadecimal."""

import asyncio
import sys

from nasdaq_protocols import soup

ADDRESS = ("127.0.0.1", int(sys.argv[1]))


async def trade(sequence, order, expected):
    """Logs in from a number on, sends an order or none, and prints what comes."""
    came = asyncio.Queue()
    session = await soup.connect_async(
        ADDRESS, "alice", "pass", "DAY01", sequence=sequence, on_msg_coro=came.put
    )
    print("login", sequence)
    if order:
        session.send_unseq_data(order)
    for _ in range(expected):
        message = await asyncio.wait_for(came.get(), 10)
        print(type(message).__name__, message.data.hex())
    session.logout()
    await session.close()


async def main():
    try:
        await soup.connect_async(ADDRESS, "alice", "wrong", "", sequence=1)
    except ConnectionRefusedError:
        print("refused")
    await trade(1, bytes.fromhex(sys.argv[2]), 3)
    await trade(2, None, 2)


asyncio.run(main())
