-- Routing rules as data. Those that are live, and all that ever were, are the part `rules` of the policy; here are the
-- drafts, and which rule of which version has decided.

CREATE TABLE rule_draft (
    id         text PRIMARY KEY,
    rules      jsonb NOT NULL,
    why        text NOT NULL DEFAULT '',
    based_on   int NOT NULL,
    drafted_by text NOT NULL,
    drafted_at timestamptz NOT NULL DEFAULT now(),
    tried_at   timestamptz,
    applied_as int
);
CREATE INDEX rule_draft_newest ON rule_draft (drafted_at DESC, id DESC);
COMMENT ON TABLE rule_draft IS
    'dispatcher/rules_store.py. based_on: the version that was live then; applied_as: the version it became';

-- What the rule that routed it asks of officers, beside the agency's staffing.
ALTER TABLE incident
    ADD COLUMN skills          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN officers_needed int NOT NULL DEFAULT 1;

-- With `route`: the rule that decided. actor: who did; older rows do not know.
ALTER TABLE incident_decision
    ADD COLUMN rule         text,
    ADD COLUMN rule_version int,
    ADD COLUMN actor        text;
CREATE INDEX incident_decision_route ON incident_decision (at, incident_id) WHERE judgement = 'route';
CREATE INDEX incident_opened ON incident (opened_at DESC, id DESC);
