/* Runs a fuzz target over the files of its corpus: what libFuzzer's own main does with -runs=0, for
 * builds without libFuzzer. Arguments are files and directories; an empty input always comes first.
 * A corpus that is not there, or holds nothing, is an error: the test would prove nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

/* Exactly `size` bytes on the heap, so that a sanitizer sees the first read behind them. */
static int feed(FILE *file, size_t size)
{
    uint8_t *data = malloc(size);
    if (data == NULL && size != 0) {
        return -1;
    }
    size_t got = fread(data, 1, size, file);
    if (got == size) {
        LLVMFuzzerTestOneInput(data, size);
        inputs++;
    }
    free(data);
    return got == size ? 0 : -1;
}

static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    int result = feed(file, size);
    fclose(file);
    return result;
}

static int replay(const char *path);

static int replay_directory(const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    int result = count < 0 ? -1 : 0;
    for (int i = 0; i < count; i++) {
        char *child = NULL;
        if (names[i]->d_name[0] != '.' && result == 0) {
            result = asprintf(&child, "%s/%s", path, names[i]->d_name) < 0 ? -1 : replay(child);
        }
        free(child);
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
    return result;
}

static int replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return -1;
    }
    if (S_ISDIR(info.st_mode)) {
        return replay_directory(path);
    }
    int result = replay_file(path, (size_t)info.st_size);
    if (result != 0) {
        perror(path);
    }
    return result;
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (replay(argv[i]) != 0) {
            return EXIT_FAILURE;
        }
    }
    printf("%u inputs\n", inputs);
    return inputs == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
