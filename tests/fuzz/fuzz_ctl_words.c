/* fuzz: links ctl shared */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "libshared/ctl/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A word that is quoted in one of the three ways is that one word again. */
static void check_word(const char *word)
{
    static const char *const quotes[] = { "", "'", "\"" };

    for (size_t i = word[0] == '\0'; i < ARRAY_SIZE(quotes); i++) {
        autobuf struct buf line = BUF_INIT;
        struct ctl_words again;

        buf_add_cstr(&line, quotes[i]);
        ctl_words_quote(&line, str_of(word), quotes[i][0]);
        buf_add_cstr(&line, quotes[i]);
        assert(ctl_words_split(buf_str(&line), &again, NULL) == OK);
        assert(again.count == 1 && strcmp(again.list[0], word) == 0);
        ctl_words_finish(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = { (const char *)data, size };
    struct ctl_words words;

    ctl_words_read(line, &words);
    assert(words.start <= size);
    assert(words.open ? words.start < size : words.quote == '\0' && words.start == size);
    for (unsigned i = 0; i < words.count; i++) {
        check_word(words.list[i]);
    }
    ctl_words_finish(&words);
    return 0;
}
