#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "gateway/client_address.h"

static struct client_address_proxies proxies_of(const char *text)
{
    struct client_address_proxies proxies;
    struct err err;

    if (client_address_parse_proxies(&proxies, text, &err) != ERR_OK)
        fail_msg("%s: %s", text, err.message);
    return proxies;
}

/* The client of a request by `peer` with these X-Forwarded-For headers (NULL: none). */
static const char *client_of(const char *trusted, const char *peer, const char *first, const char *second)
{
    static char out[CLIENT_ADDRESS_BYTES];
    struct client_address_proxies proxies = proxies_of(trusted);
    const struct http_header headers[] = {
        {"Accept", "*/*"}, {"X-Forwarded-For", first}, {"x-forwarded-for", second}, {"Via", "9.9.9.9"}};
    struct http_request request = {.headers = headers, .header_count = second != NULL ? 4 : first != NULL ? 2 : 1};

    client_address_of_request(out, &proxies, peer, &request);
    return out;
}

static void nobody_is_believed_unless_told(void **state)
{
    (void)state;
    assert_string_equal(client_of(NULL, "203.0.113.9", "1.2.3.4", NULL), "203.0.113.9");
    assert_string_equal(client_of("", "203.0.113.9", "1.2.3.4", NULL), "203.0.113.9");
    assert_string_equal(client_of("10.0.0.0/8", "203.0.113.9", "1.2.3.4", NULL), "203.0.113.9");
}

static void the_nearest_address_that_is_no_proxy_counts(void **state)
{
    (void)state;
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "1.2.3.4", NULL), "1.2.3.4");
    /* what the client wrote itself stands on the left */
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 1.2.3.4", NULL), "1.2.3.4");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 1.2.3.4 ,10.9.9.9", NULL), "1.2.3.4");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "6.6.6.6, 1.2.3.4", "10.9.9.9,10.8.8.8"), "1.2.3.4");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "6.6.6.6", "1.2.3.4"), "1.2.3.4");
    /* proxies all the way: the farthest of them */
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "10.0.0.1, 10.0.0.2", NULL), "10.0.0.1");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", NULL, NULL), "10.1.2.3");
}

static void a_malformed_entry_ends_the_search(void **state)
{
    (void)state;
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "1.2.3.4, unknown", NULL), "10.1.2.3");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "1.2.3.4, <script>, 10.0.0.2", NULL), "10.0.0.2");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "", NULL), "10.1.2.3");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", " , ,", NULL), "10.1.2.3");
    assert_string_equal(
        client_of("10.0.0.0/8", "10.1.2.3", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23", NULL),
        "10.1.2.3");
}

static void ports_and_brackets_are_taken_off(void **state)
{
    (void)state;
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "1.2.3.4:5678", NULL), "1.2.3.4");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "[2001:db8::1]:443", NULL), "2001:db8::1");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "2001:DB8:0::1", NULL), "2001:db8::1");
    assert_string_equal(client_of("10.0.0.0/8", "10.1.2.3", "::ffff:1.2.3.4", NULL), "1.2.3.4");
}

static void networks_of_both_kinds_are_matched_by_their_bits(void **state)
{
    (void)state;
    assert_string_equal(client_of("192.168.4.0/22", "192.168.7.255", "1.1.1.1", NULL), "1.1.1.1");
    assert_string_equal(client_of("192.168.4.0/22", "192.168.8.0", "1.1.1.1", NULL), "192.168.8.0");
    assert_string_equal(client_of("192.168.4.1", "192.168.4.1", "1.1.1.1", NULL), "1.1.1.1");
    assert_string_equal(client_of("192.168.4.1", "192.168.4.2", "1.1.1.1", NULL), "192.168.4.2");
    assert_string_equal(client_of("0.0.0.0/0", "8.8.8.8", "2001:db8::7", NULL), "2001:db8::7");
    assert_string_equal(client_of("0.0.0.0/0", "2001:db8::7", "1.1.1.1", NULL), "2001:db8::7"); /* IPv4 alone */
    assert_string_equal(client_of("fd00::/8, 2001:db8:0:8000::/49", "2001:db8:0:ffff::1", "1.1.1.1", NULL), "1.1.1.1");
    assert_string_equal(client_of("fd00::/8 2001:db8:0:8000::/49", "2001:db8:0:7fff::1", "1.1.1.1", NULL),
                        "2001:db8:0:7fff::1");
    assert_string_equal(client_of("::1,127.0.0.1", "::1", "1.1.1.1", NULL), "1.1.1.1");
    assert_string_equal(client_of("::ffff:10.0.0.0/104", "10.200.1.1", "1.1.1.1", NULL), "1.1.1.1");
}

static void wrong_lists_are_refused_by_name(void **state)
{
    static const char *const wrong[] = {"10.0.0.0/33",  "10.0.0/8",           "fd00::/129",   "10.0.0.0/",
                                        "10.0.0.0/-1",  "proxy.local",        "10.0.0.1;::1", "10.0.0.0/8/8",
                                        "10.0.0.0/ 8x", "::ffff:10.0.0.0/129"};
    struct client_address_proxies proxies;
    struct err err;
    char many[CLIENT_ADDRESS_MAX_PROXIES * 8 + 16] = "";

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (client_address_parse_proxies(&proxies, wrong[i], &err) != ERR_CONFIG)
            fail_msg("taken: %s", wrong[i]);
        assert_non_null(strchr(err.message, '"'));
    }
    for (int i = 0; i <= CLIENT_ADDRESS_MAX_PROXIES; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "1.1.1.1,");
    assert_int_equal(client_address_parse_proxies(&proxies, many, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "more than"));
}

static void a_peer_has_its_plain_name(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr local = {.sa_family = AF_UNIX};
    char out[CLIENT_ADDRESS_BYTES];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
    client_address_of_peer(out, (const struct sockaddr *)&v4);
    assert_string_equal(out, "192.0.2.7");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::9", &v6.sin6_addr), 1);
    client_address_of_peer(out, (const struct sockaddr *)&v6);
    assert_string_equal(out, "2001:db8::9");
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr), 1); /* on a listener of both kinds */
    client_address_of_peer(out, (const struct sockaddr *)&v6);
    assert_string_equal(out, "192.0.2.7");
    client_address_of_peer(out, &local);
    assert_string_equal(out, "");
}

static void an_ipv6_client_is_its_network(void **state)
{
    char out[CLIENT_ADDRESS_BYTES];

    (void)state;
    client_address_group(out, "192.0.2.7");
    assert_string_equal(out, "192.0.2.7");
    client_address_group(out, "2001:db8:1:2:3:4:5:6");
    assert_string_equal(out, "2001:db8:1:2::/64");
    client_address_group(out, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_string_equal(out, "ffff:ffff:ffff:ffff::/64");
    client_address_group(out, "");
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_believed_unless_told),
        cmocka_unit_test(the_nearest_address_that_is_no_proxy_counts),
        cmocka_unit_test(a_malformed_entry_ends_the_search),
        cmocka_unit_test(ports_and_brackets_are_taken_off),
        cmocka_unit_test(networks_of_both_kinds_are_matched_by_their_bits),
        cmocka_unit_test(wrong_lists_are_refused_by_name),
        cmocka_unit_test(a_peer_has_its_plain_name),
        cmocka_unit_test(an_ipv6_client_is_its_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
