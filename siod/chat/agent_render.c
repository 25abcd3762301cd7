#include "siod/chat/agent_render.h"

#include "libshared/json.h"
#include "siod/chat/assign_rule.h"
#include "siod/chat/roster.h"

void agent_render(struct buf *out, struct desk *desk, const struct store_agent *agent)
{
    enum assign_obstacle obstacle =
        assign_obstacle(roster_find(desk, agent->business_id, agent->user_id));
    bool eligible = obstacle == ASSIGN_ELIGIBLE;

    buf_add_cstr(out, "{\"agentId\":");
    buf_add_i64(out, agent->user_id);
    buf_add_cstr(out, ",\"businessId\":");
    buf_add_i64(out, agent->business_id);
    buf_add_cstr(out, ",\"name\":");
    json_add_string(out, agent->name);
    buf_add_cstr(out, ",\"role\":");
    json_add_string(out, agent->role);
    buf_add_cstr(out, ",\"status\":");
    json_add_cstr(out, store_agent_status_name(agent->status));
    buf_add_cstr(out, agent->online ? ",\"online\":true,\"load\":" : ",\"online\":false,\"load\":");
    buf_add_i64(out, agent->load);
    buf_add_cstr(out, ",\"capacity\":");
    buf_add_i64(out, agent->capacity);
    buf_add_cstr(out,
                 eligible ? ",\"eligible\":true,\"reason\":" : ",\"eligible\":false,\"reason\":");
    json_add_cstr(out, eligible ? NULL : assign_obstacle_name(obstacle));
    buf_add_char(out, '}');
}
