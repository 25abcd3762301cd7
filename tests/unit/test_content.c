/* What each type of WhatsApp's says in the words of `message`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libshared/json.h"
#include "siod/chat/content.h"

static json_t *read_json(struct str text)
{
    static const struct json_limits limits = { .depth = JSON_DEPTH_MAX };
    struct errmsg msg;
    json_t *root = json_read(text, &limits, &msg);

    if (root == NULL) {
        fail_msg("%.*s: %s", STR_ARG(text), msg.text);
    }
    return root;
}

static void render(struct buf *out, const json_t *element)
{
    buf_clear(out);
    content_render(out, content_type(element), element, json_object_get(element, "errors"));
}

static void assert_text(const json_t *element, const char *want)
{
    autobuf struct buf scratch = BUF_INIT;
    struct str text = content_text(content_type(element), element, &scratch);

    if (want == NULL ? text.data != NULL : !str_eq(text, str_of(want))) {
        fail_msg("the text is %.*s, not %s", STR_ARG(text), want != NULL ? want : "null");
    }
}

static const struct {
    const char *element, *text, *content;
} vectors[] = {
    { "{'type':'text','text':{'body':'hi'}}", "hi", "" },
    { "{'type':'text','text':{'body':null}}", NULL, "" },
    { "{'type':'text','text':{'body':[1,{'a':2.5}]}}", "[1,{\"a\":2.5}]", "" },
    { "{'type':'text','text':'hi'}", NULL, "" },
    { "{'type':'text'}", NULL, "" },
    { "{'text':{'body':'hi'}}", "hi", "" },
    { "{'type':null,'text':{'body':'hi'}}", "hi", "" },
    { "{'type':'poll','text':{'body':'hi'}}", NULL, "" },
    { "{'type':'order','order':{'catalog_id':7,'product_items':[{'product_retailer_id':"
      "8,'quantity':2}]}}",
      NULL,
      ",'order':{'catalog_id':'7','product_items':[{'product_retailer_id':'8','quantity':2}]}" },
    { "{'type':'interactive','interactive':{'list_reply':{'id':9,'title':'x'},'valid':10}}", NULL,
      ",'interactive':{'list_reply':{'id':'9','title':'x'},'valid':10}" },
    { "{'type':'contacts','contacts':{'phones':[{'wa_id':11,'user_id':12}]}}", NULL,
      ",'contacts':[{'phones':[{'wa_id':'11','user_id':'12'}]}]" },
    { "{'type':'text','text':{'body':'a'},'context':{'id':1,'referred_product':{'catalog_id':2}},"
      "'referral':{'source_id':3}}",
      "a",
      ",'context':{'wamid':'1','id':'1','referred_product':{'catalog_id':'2'}},"
      "'referral':{'source_id':'3'}" },
    { "{'type':'image','image':{'id':'77','mime_type':'image/jpeg','sha256':'x=','caption':'see',"
      "'url':'https://a/b'}}",
      "see",
      ",'media':{'id':'77','mimeType':'image/jpeg','sha256':'x=','caption':'see','filename':null,"
      "'url':'https://a/b'}" },
    { "{'type':'video','video':{'id':99999999999999999999}}", NULL,
      ",'media':{'id':'99999999999999999999','mimeType':null,'sha256':null,'caption':null,"
      "'filename':null}" },
    { "{'type':'audio','audio':{'id':7,'mime_type':'audio/ogg; codecs=opus','voice':true}}", NULL,
      ",'media':{'id':'7','mimeType':'audio/ogg; codecs=opus','sha256':null,'caption':null,"
      "'filename':null,'voice':true}" },
    { "{'type':'voice','voice':{'id':'7'}}", NULL,
      ",'media':{'id':'7','mimeType':null,'sha256':null,'caption':null,'filename':null,"
      "'voice':true}" },
    { "{'type':'document','document':{'id':'7','filename':'../a.pdf','caption':5}}", "5",
      ",'media':{'id':'7','mimeType':null,'sha256':null,'caption':'5','filename':'../a.pdf'}" },
    { "{'type':'sticker','sticker':{'id':'7','animated':false,'voice':'no'}}", NULL,
      ",'media':{'id':'7','mimeType':null,'sha256':null,'caption':null,'filename':null,"
      "'animated':false}" },
    { "{'type':'image','image':'77'}", NULL, "" },
    { "{'type':'image','image':{}}", NULL, "" },
    { "{'type':'location','location':{'latitude':37.44,'longitude':-122.5,'name':'Beach'}}", NULL,
      ",'location':{'latitude':37.44,'longitude':-122.5,'name':'Beach'}" },
    { "{'type':'location','location':[1,2]}", NULL, "" },
    { "{'type':'contacts','contacts':[{'name':{'formatted_name':'B'},'phones':[{'phone':'+1'}]}]}",
      NULL, ",'contacts':[{'name':{'formatted_name':'B'},'phones':[{'phone':'+1'}]}]" },
    { "{'type':'contacts','contacts':{'name':{'formatted_name':'B'}}}", NULL,
      ",'contacts':[{'name':{'formatted_name':'B'}}]" },
    { "{'type':'interactive','interactive':{'type':'nfm_reply','nfm_reply':{'name':'flow',"
      "'response_json':'{broken','body':'Sent'}}}",
      NULL,
      ",'interactive':{'type':'nfm_reply','nfm_reply':{'name':'flow','response_json':'{broken',"
      "'body':'Sent'}}" },
    { "{'type':'button','button':{'payload':'p','text':'No'},'context':{'from':'1','id':'w'}}",
      NULL, ",'button':{'payload':'p','text':'No'},'context':{'wamid':'w','from':'1','id':'w'}" },
    { "{'type':'order','order':{'catalog_id':'1','product_items':[{'quantity':2,'item_price':30.5}]"
      "}}",
      NULL, ",'order':{'catalog_id':'1','product_items':[{'quantity':2,'item_price':30.5}]}" },
    { "{'type':'system','system':{'body':'changed','wa_id':'2'},'identity':{'hash':'h'}}",
      "changed", ",'system':{'body':'changed','wa_id':'2'},'identity':{'hash':'h'}" },
    { "{'type':'unsupported','unsupported':{'type':'poll_creation'},'errors':[{'code':131051}]}",
      NULL, ",'unsupported':{'type':'poll_creation'},'errors':[{'code':131051}]" },
    { "{'type':'unsupported','errors':{'code':131051}}", NULL, ",'errors':[{'code':131051}]" },
    { "{'type':'text','text':{'body':'a'},'context':{'forwarded':true}}", "a",
      ",'forwarded':true,'context':{'wamid':null,'forwarded':true}" },
    { "{'type':'text','text':{'body':'a'},'context':{'frequently_forwarded':true,'id':12,'from':3,"
      "'wamid':'forged'}}",
      "a",
      ",'forwarded':true,'context':{'wamid':'12','frequently_forwarded':true,'id':'12','from':'3'"
      "}" },
    { "{'type':'text','text':{'body':'a'},'context':{'from':'1','id':'w','referred_product':"
      "{'catalog_id':'c','product_retailer_id':'p'}}}",
      "a",
      ",'context':{'wamid':'w','from':'1','id':'w','referred_product':{'catalog_id':'c',"
      "'product_retailer_id':'p'}}" },
    { "{'type':'text','text':{'body':'a'},'context':null,'referral':'x','errors':[]}", "a", "" },
    { "{'type':'text','text':{'body':'a'},'referral':{'source_url':'https://fb.me/x','source_type':"
      "'ad','ctwa_clid':'c','welcome_message':{'text':'t'}}}",
      "a",
      ",'referral':{'source_url':'https://fb.me/x','source_type':'ad','ctwa_clid':'c',"
      "'welcome_message':{'text':'t'}}" },
    { "{'type':'hologram','hologram':{'a':1}}", NULL, "" },
    { "{'type':7}", NULL, "" },
    { "{}", NULL, "" },
};

/* A copy of `text` with the quotes that JSON wants. */
static void add_quoted(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        buf_add_char(out, *text == '\'' ? '"' : *text);
    }
}

static void each_type_says_what_it_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        autobuf struct buf text = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
        autojson json_t *element = NULL;

        add_quoted(&text, vectors[i].element);
        add_quoted(&want, vectors[i].content);
        element = read_json(buf_str(&text));
        render(&got, element);
        if (!str_eq(buf_str(&got), buf_str(&want))) {
            fail_msg("%s:\n%.*s\nis not\n%.*s", text.data, STR_ARG(buf_str(&got)),
                     STR_ARG(buf_str(&want)));
        }
        assert_text(element, vectors[i].text);
    }
}

static void a_type_is_a_short_word(void **state)
{
    static const struct {
        const char *element, *type;
    } cases[] = {
        { "{\"type\":\"poll\"}", "poll" },
        { "{\"type\":\"\"}", "unknown" },
        { "{\"type\":null}", "unknown" },
        { "{\"type\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
          "0123456789012345678901234567890123456789012345678901234567890123" },
        { "{\"type\":\"01234567890123456789012345678901234567890123456789012345678901234\"}",
          "unknown" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autojson json_t *element = read_json(str_of(cases[i].element));

        assert_true(str_eq(content_type(element), str_of(cases[i].type)));
    }
}

static void what_is_nested_too_deep_is_left_out(void **state)
{
    enum { LEVELS = 500 };
    autobuf struct buf text = BUF_INIT, got = BUF_INIT;
    autojson json_t *element = NULL;
    unsigned depth = 0, deepest = 0;

    (void)state;
    buf_add_cstr(&text, "{\"type\":\"order\",\"order\":{\"a\":");
    for (unsigned i = 0; i < LEVELS; i++) {
        buf_add_char(&text, '[');
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        buf_add_char(&text, ']');
    }
    buf_add_cstr(&text, "}}");
    element = read_json(buf_str(&text));
    render(&got, element);
    for (size_t i = 0; i < got.len; i++) {
        depth += got.data[i] == '[' || got.data[i] == '{';
        depth -= got.data[i] == ']' || got.data[i] == '}';
        deepest = MAX(deepest, depth);
    }
    assert_int_equal(depth, 0);
    assert_int_equal(deepest, CONTENT_DEPTH_MAX);
    assert_non_null(strstr(got.data, "[null]"));
}

static const struct {
    const char *before, *edited, *after;
} edits[] = {
    { "{'type':'text','text':{'body':'a'}}", "{'type':'text','text':{'body':'b'}}",
      "{'type':'text','text':{'body':'b'}}" },
    { "{'type':'image','image':{'id':'7','caption':'a'}}",
      "{'type':'image','image':{'caption':'b'}}",
      "{'type':'image','image':{'id':'7','caption':'b'}}" },
    { "{'type':'image','image':{'id':'7','caption':'a'}}", "{'type':'image','image':{'id':'8'}}",
      "{'type':'image','image':{'id':'8'}}" },
    { "{'type':'image','image':{'id':'7'}}", "{'type':'text','text':{'body':'b'}}",
      "{'type':'text','text':{'body':'b'}}" },
    { "{'type':'text','text':{'body':'a'},'context':{'id':'w'}}",
      "{'type':'text','text':{'body':'b'},'context':{'id':'v'}}",
      "{'type':'text','text':{'body':'b'},'context':{'id':'v'}}" },
    { "{'type':'text','text':{'body':'a'}}", "{}", "{'type':'text','text':{'body':'a'}}" },
    { "{'type':'text','text':{'body':'a'}}", "{'type':'text'}",
      "{'type':'text','text':{'body':'a'}}" },
    { "{}", "{'type':'text','text':{'body':'b'}}", "{'type':'text','text':{'body':'b'}}" },
};

static void an_edit_brings_what_it_says_and_leaves_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
        autobuf struct buf before = BUF_INIT, by = BUF_INIT, after = BUF_INIT;
        autojson json_t *element = NULL, *edited = NULL, *want = NULL;

        add_quoted(&before, edits[i].before);
        add_quoted(&by, edits[i].edited);
        add_quoted(&after, edits[i].after);
        element = read_json(buf_str(&before));
        edited = read_json(buf_str(&by));
        want = read_json(buf_str(&after));
        content_edit(element, edited);
        if (!json_equal(element, want)) {
            autobuf struct buf got = BUF_INIT;

            json_add_tree(&got, element);
            fail_msg("%s by %s: %s", before.data, by.data, got.data);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_says_what_it_holds),
        cmocka_unit_test(a_type_is_a_short_word),
        cmocka_unit_test(what_is_nested_too_deep_is_left_out),
        cmocka_unit_test(an_edit_brings_what_it_says_and_leaves_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
