"""A made-up shop of any size, as the cache's table: users and products by power laws, sessions of a few minutes."""
import base64
import itertools
import random

ACTIONS = ("content_view",) * 14 + ("add_to_cart",) * 3 + ("add_to_wishlist", "initiate_checkout", "purchase")
DAY_S = 86400


def power_law(count, exponent):
    return list(itertools.accumulate((place + 10) ** -exponent for place in range(count)))


def write_interactions(out, now_s, rows, users, products, seed=1):
    """Exactly so many rows, each of its own activity, newest first; every user has one at least."""
    draw = random.Random(seed)
    chosen = list(range(users)) + draw.choices(range(users), cum_weights=power_law(users, 0.6), k=rows - users)
    items = draw.choices(range(products), cum_weights=power_law(products, 0.7), k=rows)
    actions = draw.choices(ACTIONS, k=rows)
    uids = [base64.b64encode(f"customer-{user}@shop".encode()).decode() for user in range(users)]
    last = {}
    draw.shuffle(chosen)
    step_s = 365 * DAY_S / rows
    with open(out, "w", encoding="utf-8") as file:
        file.write("id,action,user_uid,created,product_id\n")
        for place, (user, item, action) in enumerate(zip(chosen, items, actions)):
            created = now_s - 3600 - int(place * step_s)
            if user in last and draw.random() < 0.6:
                created = last[user] - draw.randrange(300)
            last[user] = created
            file.write(f"{rows - place},{action},{uids[user]},{created},{item + 1}\n")
