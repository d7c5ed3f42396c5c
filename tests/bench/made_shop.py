"""A made-up shop of any size, as the cache's table: users and products by power laws, sessions of a few minutes."""
import base64
import itertools
import random

# as the shop's: mostly views; in the table one action behind the other, each newest first
ACTIONS = ("purchase", "initiate_checkout", "add_to_cart", "add_to_wishlist", "content_view")
SHARES = (1, 1, 3, 1, 14)
YEAR_S = 365 * 86400
GAP_S = 120


def power_law(count, exponent):
    return list(itertools.accumulate((place + 10) ** -exponent for place in range(count)))


def sessions_of(draw, rows, users):
    """(user, rows) of each session: every user has one at least, of three rows in the mean."""
    weights = power_law(users, 0.6)
    visitors = list(range(users)) + draw.choices(range(users), cum_weights=weights, k=max(1, rows // 3 - users))
    sizes = [1] * len(visitors)
    for place in draw.choices(range(len(visitors)), k=rows - len(visitors)):
        sizes[place] += 1
    return zip(visitors, sizes)


def write_interactions(out, now_s, rows, users, products, seed=1):
    """Exactly so many rows, each of its own activity."""
    draw = random.Random(seed)
    items = draw.choices(range(1, products + 1), cum_weights=power_law(products, 0.7), k=rows)
    actions = draw.choices(range(len(ACTIONS)), weights=SHARES, k=rows)
    uids = [base64.b64encode(f"customer-{user}@shop".encode()).decode() for user in range(users)]
    table = []
    for user, size in sessions_of(draw, rows, users):
        created = now_s - 3600 - draw.randrange(YEAR_S - 86400)
        for _ in range(size):
            table.append((actions[len(table)], -created, user, items[len(table)]))
            created += draw.randrange(GAP_S)
    table.sort()
    with open(out, "w", encoding="utf-8") as file:
        file.write("id,action,user_uid,created,product_id\n")
        for place, (action, older, user, item) in enumerate(table):
            file.write(f"{rows - place},{ACTIONS[action]},{uids[user]},{-older},{item}\n")
