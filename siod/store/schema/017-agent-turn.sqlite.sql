-- When an agent was last given a chat, so that the turns of round_robin outlive the agent's presence and siod's process.

ALTER TABLE agent ADD COLUMN turn INTEGER NOT NULL DEFAULT 0; -- us since 1970, each a little later than all before it; 0 = never
UPDATE agent SET turn = coalesce((SELECT max(assigned_at_ms) * 1000 FROM chat WHERE chat.business_id = agent.business_id
    AND chat.agent_id = agent.user_id AND chat.state = 1), 0);
