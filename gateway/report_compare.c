#include "gateway/report_compare.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

enum { MOST_DEPTH = 4, MOST_FIGURES = 1000, MOST_IDS = 1000 };

static bool is_number(const struct json *value)
{
    return json_value_kind(value) == JSON_KIND_INT || json_value_kind(value) == JSON_KIND_REAL;
}

/* The value, or null: never a lack of either. */
static bool put_copy(struct json *object, const char *key, const struct json *value)
{
    return value != NULL ? json_value_set(object, key, json_value_dup(value)) : json_value_set_null(object, key);
}

static bool put_change(struct json *object, const struct json *a, const struct json *b)
{
    int64_t whole_a;
    int64_t whole_b;
    double real_a;
    double real_b;

    if (json_value_to_int64(a, &whole_a) && json_value_to_int64(b, &whole_b) && whole_a >= 0 && whole_b >= 0)
        return json_value_set_int(object, "change", whole_b - whole_a);
    if (json_value_to_double(a, &real_a) && json_value_to_double(b, &real_b))
        return json_value_set_real(object, "change", real_b - real_a);
    return json_value_set_null(object, "change");
}

/* {a, b, change}, with a name where there is one. */
static struct json *make_pair(const char *name, const struct json *a, const struct json *b)
{
    struct json *pair = json_value_new_object();

    if (pair != NULL && (name == NULL || json_value_set_text(pair, "name", name)) && put_copy(pair, "a", a) &&
        put_copy(pair, "b", b) && put_change(pair, a, b))
        return pair;
    json_value_destroy(pair);
    return NULL;
}

/* One walk over two trees at once. */
struct walk {
    struct json *list;
    const char *prefix; /* "matrix"; "": none */
    const struct json *a;
    const struct json *b;
    bool only_b; /* goes through b for what a has not */
    int depth;
    bool (*meet)(struct walk *walk, const char *name, const struct json *a, const struct json *b);
    bool failed;
};

static void walk_members(struct walk *walk, const char *prefix, const struct json *a, const struct json *b);

static bool on_member(void *context, const char *key, const struct json *value)
{
    struct walk *walk = context;
    const struct json *a = walk->only_b ? NULL : value;
    const struct json *b = walk->only_b ? value : json_value_get(walk->b, key);
    char *name;

    if (walk->only_b && json_value_get(walk->a, key) != NULL)
        return true;
    name = str_format("%s%s%s", walk->prefix, walk->prefix[0] != '\0' ? "." : "", key);
    if (name == NULL)
        walk->failed = true;
    else if (walk->meet(walk, name, a, b))
        walk->failed = walk->failed || json_value_count(walk->list) > MOST_FIGURES;
    else if (json_value_kind(a) == JSON_KIND_OBJECT || json_value_kind(b) == JSON_KIND_OBJECT)
        walk_members(walk, name, a, b);
    free(name);
    return !walk->failed && json_value_count(walk->list) < MOST_FIGURES;
}

static void walk_members(struct walk *walk, const char *prefix, const struct json *a, const struct json *b)
{
    struct walk inner = *walk;

    if (walk->depth == MOST_DEPTH)
        return;
    inner.depth++;
    inner.prefix = prefix;
    inner.a = json_value_kind(a) == JSON_KIND_OBJECT ? a : NULL;
    inner.b = json_value_kind(b) == JSON_KIND_OBJECT ? b : NULL;
    inner.only_b = false;
    json_value_each(inner.a, on_member, &inner);
    inner.only_b = true;
    json_value_each(inner.b, on_member, &inner);
    walk->failed = walk->failed || inner.failed;
}

static bool meet_figure(struct walk *walk, const char *name, const struct json *a, const struct json *b)
{
    if (!is_number(a) && !is_number(b))
        return false;
    if (!json_value_append(walk->list, make_pair(name, is_number(a) ? a : NULL, is_number(b) ? b : NULL)))
        walk->failed = true;
    return true;
}

/* The numbers of some members of the reports. */
static struct json *make_figures(const struct json *a, const struct json *b, const char *const *members, size_t count)
{
    struct walk walk = {.list = json_value_new_array(), .meet = meet_figure};

    walk.failed = walk.list == NULL;
    for (size_t i = 0; !walk.failed && i < count; i++)
        walk_members(&walk, strcmp(members[i], "counts") == 0 || count == 1 ? "" : members[i],
                     json_value_get(a, members[i]), json_value_get(b, members[i]));
    if (!walk.failed)
        return walk.list;
    json_value_destroy(walk.list);
    return NULL;
}

/* A list of products, as the samples have them. */
static bool is_product_list(const struct json *value)
{
    return json_value_kind(value) == JSON_KIND_ARRAY &&
           (json_value_count(value) == 0 || json_value_get(json_value_at(value, 0), "product_id") != NULL);
}

static struct json *make_ids(const struct json *products)
{
    struct json *ids = json_value_new_array();

    for (size_t i = 0; i < json_value_count(products) && i < MOST_IDS; i++) {
        const struct json *id = json_value_get(json_value_at(products, i), "product_id");

        if (id != NULL && !json_value_append(ids, json_value_dup(id))) {
            json_value_destroy(ids);
            return NULL;
        }
    }
    return ids;
}

static size_t count_common(const struct json *a, const struct json *b)
{
    size_t common = 0;

    for (size_t i = 0; i < json_value_count(a); i++) {
        int64_t id;
        int64_t other;

        if (!json_value_to_int64(json_value_at(a, i), &id))
            continue;
        for (size_t j = 0; j < json_value_count(b); j++) {
            if (json_value_to_int64(json_value_at(b, j), &other) && other == id) {
                common++;
                break;
            }
        }
    }
    return common;
}

/* Whom a list is for: a member beside it. NULL: for everybody. */
static const struct json *subject_of(const struct json *owner)
{
    const struct json *user = json_value_get(owner, "user_uid");

    return user != NULL ? user : json_value_get(owner, "product_id");
}

static bool is_same(const struct json *a, const struct json *b)
{
    int64_t whole_a;
    int64_t whole_b;

    if (a == NULL && b == NULL)
        return true;
    if (json_value_text(a) != NULL && json_value_text(b) != NULL)
        return strcmp(json_value_text(a), json_value_text(b)) == 0;
    return json_value_to_int64(a, &whole_a) && json_value_to_int64(b, &whole_b) && whole_a == whole_b;
}

static bool put_overlap(struct json *sample, const struct json *a, const struct json *b, bool comparable)
{
    size_t longer = json_value_count(a) > json_value_count(b) ? json_value_count(a) : json_value_count(b);
    size_t common = count_common(a, b);

    if (!comparable || longer == 0)
        return json_value_set_null(sample, "common") && json_value_set_null(sample, "overlap");
    return json_value_set_int(sample, "common", (int64_t)common) &&
           json_value_set_real(sample, "overlap", (double)common / (double)longer);
}

static struct json *make_sample(const struct walk *walk, const char *name, const struct json *a, const struct json *b)
{
    struct json *sample = json_value_new_object();
    struct json *subject = json_value_new_object();
    const struct json *of_a = subject_of(walk->a);
    const struct json *of_b = subject_of(walk->b);
    bool both = a != NULL && b != NULL;
    bool made = sample != NULL && put_copy(subject, "a", of_a) && put_copy(subject, "b", of_b);

    made = json_value_set(sample, "subject", subject) && made;
    made = made && json_value_set_text(sample, "name", name) &&
           (a != NULL ? json_value_set(sample, "a", make_ids(a)) : json_value_set_null(sample, "a")) &&
           (b != NULL ? json_value_set(sample, "b", make_ids(b)) : json_value_set_null(sample, "b")) &&
           put_overlap(sample, json_value_get(sample, "a"), json_value_get(sample, "b"), both && is_same(of_a, of_b));
    if (made)
        return sample;
    json_value_destroy(sample);
    return NULL;
}

static bool meet_sample(struct walk *walk, const char *name, const struct json *a, const struct json *b)
{
    if (!is_product_list(a) && !is_product_list(b))
        return false;
    if (!json_value_append(walk->list,
                           make_sample(walk, name, is_product_list(a) ? a : NULL, is_product_list(b) ? b : NULL)))
        walk->failed = true;
    return true;
}

static struct json *make_samples(const struct json *a, const struct json *b)
{
    struct walk walk = {.list = json_value_new_array(), .meet = meet_sample};

    walk.failed = walk.list == NULL;
    if (!walk.failed)
        walk_members(&walk, "", json_value_get(a, "samples"), json_value_get(b, "samples"));
    if (!walk.failed)
        return walk.list;
    json_value_destroy(walk.list);
    return NULL;
}

static const struct json *find_stage(const struct json *stages, const char *name)
{
    for (size_t i = 0; i < json_value_count(stages); i++) {
        const char *found = json_value_get_text(json_value_at(stages, i), "name");

        if (found != NULL && strcmp(found, name) == 0)
            return json_value_at(stages, i);
    }
    return NULL;
}

static bool put_stage(struct json *entry, const char *key, const struct json *stage)
{
    static const char *const members[] = {"seconds", "rows_in", "rows_out"};
    struct json *side = stage != NULL ? json_value_new_object() : json_value_new_null();
    bool made = side != NULL;

    for (size_t i = 0; made && stage != NULL && i < sizeof members / sizeof members[0]; i++)
        made = put_copy(side, members[i], json_value_get(stage, members[i]));
    return json_value_set(entry, key, side) && made;
}

static bool append_stage(struct json *list, const char *name, const struct json *a, const struct json *b)
{
    struct json *entry = json_value_new_object();
    bool made = json_value_set_text(entry, "name", name) && put_stage(entry, "a", a) && put_stage(entry, "b", b);

    return json_value_append(list, entry) && made;
}

/* In their order; those that only b has come last. */
static struct json *make_stages(const struct json *a, const struct json *b)
{
    struct json *list = json_value_new_array();
    bool made = list != NULL;

    for (size_t i = 0; made && i < json_value_count(a) && i < MOST_FIGURES; i++) {
        const char *name = json_value_get_text(json_value_at(a, i), "name");

        made = name == NULL || append_stage(list, name, json_value_at(a, i), find_stage(b, name));
    }
    for (size_t i = 0; made && i < json_value_count(b) && i < MOST_FIGURES; i++) {
        const char *name = json_value_get_text(json_value_at(b, i), "name");

        made = name == NULL || find_stage(a, name) != NULL || append_stage(list, name, NULL, json_value_at(b, i));
    }
    if (made)
        return list;
    json_value_destroy(list);
    return NULL;
}

static struct json *make_loss(const struct json *a, const struct json *b)
{
    const struct json *last_a = json_value_at(a, json_value_count(a) - 1);
    const struct json *last_b = json_value_at(b, json_value_count(b) - 1);
    struct json *loss = json_value_new_object();

    if (put_copy(loss, "a", a) && put_copy(loss, "b", b) &&
        json_value_set(loss, "last", make_pair(NULL, last_a, last_b)))
        return loss;
    json_value_destroy(loss);
    return NULL;
}

static struct json *make_head(const struct json *report)
{
    static const char *const members[] = {"id", "type", "namespace", "created_at", "seconds", "published"};
    struct json *head = json_value_new_object();
    bool made = head != NULL;

    for (size_t i = 0; made && i < sizeof members / sizeof members[0]; i++)
        made = put_copy(head, members[i], json_value_get(report, members[i]));
    if (made && put_copy(head, "error", json_value_get(json_value_get(report, "error"), "message")))
        return head;
    json_value_destroy(head);
    return NULL;
}

struct json *report_compare_make(const struct json *a, const struct json *b)
{
    static const char *const counts[] = {"counts", "matrix", "published_counts", "outliers", "warehouse"};
    static const char *const parameters[] = {"als"};
    static const char *const metrics[] = {"metrics"};
    struct json *out = json_value_new_object();

    if (json_value_set(out, "a", make_head(a)) && json_value_set(out, "b", make_head(b)) &&
        json_value_set(out, "stages", make_stages(json_value_get(a, "stages"), json_value_get(b, "stages"))) &&
        json_value_set(out, "counts", make_figures(a, b, counts, sizeof counts / sizeof counts[0])) &&
        json_value_set(out, "parameters", make_figures(a, b, parameters, 1)) &&
        json_value_set(out, "loss", make_loss(json_value_get(a, "loss"), json_value_get(b, "loss"))) &&
        json_value_set(out, "metrics", make_figures(a, b, metrics, 1)) &&
        json_value_set(out, "samples", make_samples(a, b)))
        return out;
    json_value_destroy(out);
    return NULL;
}
