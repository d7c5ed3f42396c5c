#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/connect/blob_folder.h"

enum { TAG_BYTES = 64, PATH_BYTES = 256, WRITERS = 4, ROUNDS = 25 };

/* A folder of its own for each test. */
struct place {
    char path[PATH_BYTES];
    struct blob_folder *folder;
    struct blob_store store;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    if (place == NULL)
        return -1;
    (void)snprintf(place->path, sizeof place->path, "/tmp/recfleet-blob-XXXXXX");
    if (mkdtemp(place->path) == NULL || blob_folder_create(&place->folder, place->path, NULL) != ERR_OK)
        return -1;
    place->store = blob_folder_store(place->folder);
    *state = place;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    struct place *place = *state;

    blob_folder_destroy(place->folder);
    (void)nftw(place->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

static enum err_code write_text(const struct place *place, const char *name, const char *text, const char *if_tag)
{
    return place->store.write(place->store.self, name, text, strlen(text), if_tag, NULL);
}

static void assert_text(const struct place *place, const char *name, const char *text, char *tag)
{
    char *data;
    size_t size;

    assert_int_equal(place->store.read(place->store.self, name, &data, &size, tag, NULL), ERR_OK);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void what_was_written_is_read(void **state)
{
    struct place *place = *state;
    char tag[TAG_BYTES];

    assert_int_equal(write_text(place, "a.csv", "first", NULL), ERR_OK);
    assert_text(place, "a.csv", "first", tag);
    assert_int_equal(write_text(place, "a.csv", "", NULL), ERR_OK);
    assert_text(place, "a.csv", "", tag);
}

static void a_blob_that_is_missing_is_not_found(void **state)
{
    struct place *place = *state;
    char tag[TAG_BYTES];
    char *data;
    size_t size;

    assert_int_equal(place->store.read(place->store.self, "a.csv", &data, &size, tag, NULL), ERR_NOT_FOUND);
    assert_null(data);
    assert_int_equal(place->store.rename(place->store.self, "a.csv", "b.csv", NULL), ERR_NOT_FOUND);
}

static void only_who_knows_the_version_may_replace_it(void **state)
{
    struct place *place = *state;
    char old[TAG_BYTES];
    char tag[TAG_BYTES];

    assert_int_equal(write_text(place, "a.csv", "1", "some tag"), ERR_EXISTS);
    assert_int_equal(write_text(place, "a.csv", "1", ""), ERR_OK);
    assert_int_equal(write_text(place, "a.csv", "2", ""), ERR_EXISTS);
    assert_text(place, "a.csv", "1", old);
    assert_int_equal(write_text(place, "a.csv", "2", old), ERR_OK);
    assert_int_equal(write_text(place, "a.csv", "3", old), ERR_EXISTS);
    assert_text(place, "a.csv", "2", tag);
    assert_string_not_equal(tag, old);
}

static void renaming_overwrites_nothing(void **state)
{
    struct place *place = *state;
    char tag[TAG_BYTES];

    assert_int_equal(write_text(place, "a.csv", "a", NULL), ERR_OK);
    assert_int_equal(write_text(place, "b.csv", "b", NULL), ERR_OK);
    assert_int_equal(place->store.rename(place->store.self, "a.csv", "b.csv", NULL), ERR_EXISTS);
    assert_text(place, "b.csv", "b", tag);
    assert_int_equal(place->store.rename(place->store.self, "a.csv", "c.csv", NULL), ERR_OK);
    assert_text(place, "c.csv", "a", tag);
}

static void missing_folders_are_made(void **state)
{
    struct place *place = *state;
    struct blob_folder *folder;
    char path[PATH_BYTES + 32];

    (void)snprintf(path, sizeof path, "%s/x/y//z/", place->path);
    assert_int_equal(blob_folder_create(&folder, path, NULL), ERR_OK);
    blob_folder_destroy(folder);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_folder_that_cannot_be_is_an_error_with_its_name(void **state)
{
    struct place *place = *state;
    struct blob_folder *folder;
    char path[PATH_BYTES + 32];
    struct err err;

    assert_int_equal(write_text(place, "file", "x", NULL), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/file/sub", place->path);
    assert_int_equal(blob_folder_create(&folder, path, &err), ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_null(folder);
    assert_int_equal(blob_folder_create(&folder, "", &err), ERR_CONFIG);
}

static size_t count_files(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count - 2;
}

static void a_failed_write_leaves_what_was_there(void **state)
{
    struct place *place = *state;
    char path[PATH_BYTES + 32];
    char tag[TAG_BYTES];
    struct err err;

    assert_int_equal(write_text(place, "a.csv", "old", NULL), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/.a.csv.tmp", place->path);
    assert_int_equal(mkdir(path, 0700), 0); /* in the way of the temporary file */
    assert_int_equal(place->store.write(place->store.self, "a.csv", "new", 3, NULL, &err), ERR_IO);
    assert_non_null(strstr(err.message, "a.csv"));
    assert_text(place, "a.csv", "old", tag);
}

static void a_leftover_of_a_killed_writer_does_no_harm(void **state)
{
    struct place *place = *state;
    char path[PATH_BYTES + 32];
    char tag[TAG_BYTES];
    int fd;

    (void)snprintf(path, sizeof path, "%s/.a.csv.tmp", place->path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "a longer text than the next", 27), 27);
    (void)close(fd);
    assert_int_equal(write_text(place, "a.csv", "new", ""), ERR_OK);
    assert_text(place, "a.csv", "new", tag);
    assert_int_equal(count_files(place->path), 2); /* a.csv and .lock */
}

/* A child writes versions of a single letter each, over and over, until it is killed. */
_Noreturn static void write_for_ever(const struct place *place, size_t size)
{
    char *data = malloc(size);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (char letter = 'a'; data != NULL; letter = letter == 'z' ? 'a' : (char)(letter + 1)) {
        memset(data, letter, size);
        if (place->store.write(place->store.self, "a.csv", data, size, NULL, NULL) != ERR_OK)
            break;
    }
    _exit(1);
}

static void a_reader_sees_whole_versions_however_writers_die(void **state)
{
    enum { SIZE = 1 << 20, KILLS = 10, READS = 20 };

    struct place *place = *state;
    char tag[TAG_BYTES];
    char *data;
    size_t size;

    assert_int_equal(write_text(place, "a.csv", "x", NULL), ERR_OK);
    for (int kill_number = 0; kill_number < KILLS; kill_number++) {
        pid_t pid = fork();

        if (pid == 0)
            write_for_ever(place, SIZE);
        assert_true(pid > 0);
        for (int i = 0; i < READS; i++) {
            assert_int_equal(place->store.read(place->store.self, "a.csv", &data, &size, tag, NULL), ERR_OK);
            assert_true(size == 1 || size == SIZE);
            assert_int_equal(memcmp(data, data + 1, size - 1), 0); /* one letter throughout */
            free(data);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    assert_int_equal(write_text(place, "a.csv", "end", NULL), ERR_OK); /* the lock went with its holder */
}

/* Adds one to the number in the blob; whoever was overtaken tries again. */
_Noreturn static void count_up(const struct place *place)
{
    for (int i = 0; i < ROUNDS;) {
        char tag[TAG_BYTES];
        char text[32];
        char *data;
        size_t size;
        enum err_code rc = place->store.read(place->store.self, "n", &data, &size, tag, NULL);

        if (rc != ERR_OK)
            _exit(1);
        (void)snprintf(text, sizeof text, "%ld", strtol(data, NULL, 10) + 1);
        free(data);
        rc = write_text(place, "n", text, tag);
        if (rc != ERR_OK && rc != ERR_EXISTS)
            _exit(1);
        i += rc == ERR_OK;
    }
    _exit(0);
}

static void no_update_of_several_writers_is_lost(void **state)
{
    struct place *place = *state;
    pid_t pids[WRITERS];
    char tag[TAG_BYTES];
    char text[32];

    assert_int_equal(write_text(place, "n", "0", NULL), ERR_OK);
    for (size_t i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            count_up(place);
        assert_true(pids[i] > 0);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        int status = -1;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    (void)snprintf(text, sizeof text, "%d", WRITERS * ROUNDS);
    assert_text(place, "n", text, tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_blob_that_is_missing_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_who_knows_the_version_may_replace_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renaming_overwrites_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_folders_are_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_is_an_error_with_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_what_was_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leftover_of_a_killed_writer_does_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_sees_whole_versions_however_writers_die, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_update_of_several_writers_is_lost, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
