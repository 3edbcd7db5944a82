"""The relation `history`: every event of the customers in `spine`, with what its JSON holds as columns.

`gap_days` is the time since the customer's previous event of the same type, `running_value` the running sum of values of
that type. Both look backward only, so they are the same at whatever later moment they are read.
"""

HISTORY = """
SELECT customer_id, occurred_at, type, coalesce(value, 0) AS value,
       CAST(properties ->> 'store' AS VARCHAR) AS store,
       coalesce(CAST(properties ->> 'items' AS DOUBLE), 0) AS items,
       CAST(properties ->> 'departments' AS DOUBLE) AS departments,
       coalesce(CAST(properties ->> 'retail_discount' AS DOUBLE), 0) AS retail_discount,
       coalesce(CAST(properties ->> 'coupon_discount' AS DOUBLE), 0) AS coupon_discount,
       coalesce(CAST(properties ->> 'private_label' AS DOUBLE), 0) AS private_label,
       coalesce(CAST(properties ->> 'fresh' AS DOUBLE), 0) AS fresh,
       coalesce(CAST(properties ->> 'in_mailer' AS DOUBLE), 0) AS in_mailer,
       coalesce(CAST(properties ->> 'on_display' AS DOUBLE), 0) AS on_display,
       CAST(properties ->> 'level' AS BIGINT) AS tier_level,
       CAST(properties ->> 'next_at' AS DOUBLE) AS next_tier_at,
       (epoch(occurred_at) - lag(epoch(occurred_at)) OVER previous) / 86400 AS gap_days,
       sum(coalesce(value, 0)) OVER previous AS running_value
FROM events SEMI JOIN spine USING (customer_id)
WINDOW previous AS (PARTITION BY customer_id, type ORDER BY occurred_at, event_id)
"""

# What happened on a channel: each contact, and the first outcome of each type it had. Silence is not a contact.
TOUCHES = """
SELECT customer_id, channel, 'contact' AS type, sent_at AS touched_at
FROM contacts SEMI JOIN spine USING (customer_id) WHERE arm IS DISTINCT FROM 'silence'
UNION ALL
SELECT customer_id, channel, outcomes.type, min(outcomes.occurred_at) AS touched_at
FROM outcomes JOIN contacts USING (contact_id) SEMI JOIN spine USING (customer_id)
WHERE NOT outcomes.machine_open AND arm IS DISTINCT FROM 'silence'
GROUP BY customer_id, channel, contact_id, outcomes.type
"""
