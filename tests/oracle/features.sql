-- Every feature a second time, over the raw records, for every customer.
--
-- Reads  the tables of events.sql; asked(at_ms): when the features are asked for.
-- Makes  features: a row for each customer and a column for each name of the registry. A favourite (top_*,
--        *_main) is the list of the names that are the heaviest within 1e-9, money is in 1/10,000.
--        bounds: a row for each customer with what decides whether a figure is exact:
--        categories, brands, channels_used, devices: distinct names;
--        order_days_30d, _90d, _365d: days with orders or refunds in the window, order_days in all;
--        money_half30d, money_half90d: the sum without signs, of which 1e-9 is the tolerance.

CREATE OR REPLACE MACRO days_ago(day) AS
    date_diff('day', day, CAST(local_time((SELECT at_ms FROM asked)) AS DATE));
CREATE OR REPLACE MACRO halved(ms, half_life_d) AS
    pow(0.5, ((SELECT at_ms FROM asked) - ms) / (half_life_d * 86400000.0));
CREATE OR REPLACE MACRO days_since(ms) AS ((SELECT at_ms FROM asked) - ms) / 86400000.0;
CREATE OR REPLACE MACRO part_of(part, whole) AS CASE WHEN whole > 0 THEN part / whole END;

-- ---- orders and refunds ----------------------------------------------------------------------------------
CREATE OR REPLACE TABLE bought AS
SELECT customer,
    count(*) FILTER (kind = 'purchase') AS orders_total,
    coalesce(sum(amount) FILTER (kind = 'purchase'), 0) AS money_total,
    coalesce(sum(amount) FILTER (kind = 'refund'), 0) AS refunds_total,
    coalesce(sum(items) FILTER (kind = 'purchase'), 0) AS items_total,
    count(*) FILTER (kind = 'purchase' AND days_ago(day) < 30) AS orders_30d,
    count(*) FILTER (kind = 'purchase' AND days_ago(day) < 90) AS orders_90d,
    count(*) FILTER (kind = 'purchase' AND days_ago(day) < 365) AS orders_365d,
    coalesce(sum(sign * amount) FILTER (days_ago(day) < 30), 0) AS money_30d,
    coalesce(sum(sign * amount) FILTER (days_ago(day) < 90), 0) AS money_90d,
    coalesce(sum(sign * amount) FILTER (days_ago(day) < 365), 0) AS money_365d,
    coalesce(sum(halved(t, 30)) FILTER (kind = 'purchase'), 0) AS orders_half30d,
    coalesce(sum(halved(t, 90)) FILTER (kind = 'purchase'), 0) AS orders_half90d,
    sum(sign * amount * halved(t, 30)) / 10000 AS money_half30d,
    sum(sign * amount * halved(t, 90)) / 10000 AS money_half90d,
    sum(amount * halved(t, 30)) / 10000 AS money_moved30d,
    sum(amount * halved(t, 90)) / 10000 AS money_moved90d,
    part_of((max(t) FILTER (kind = 'purchase') - min(t) FILTER (kind = 'purchase')) / 86400000.0,
        count(*) FILTER (kind = 'purchase') - 1) AS order_gap_days,
    days_since(max(t) FILTER (kind = 'purchase')) AS days_since_order,
    days_since(min(t) FILTER (kind = 'purchase')) AS days_since_first_order,
    max(t) FILTER (kind = 'purchase') AS last_order,
    count(*) FILTER (kind = 'purchase' AND has_offer) AS coupon_orders,
    coalesce(sum(discount) FILTER (kind = 'purchase'), 0) AS discounts,
    count(*) FILTER (kind = 'purchase' AND has_campaign) AS campaign_orders_total,
    count(*) FILTER (kind = 'purchase' AND has_campaign AND days_ago(day) < 90) AS campaign_orders_90d,
    count(DISTINCT day) AS order_days,
    count(DISTINCT day) FILTER (days_ago(day) < 30) AS order_days_30d,
    count(DISTINCT day) FILTER (days_ago(day) < 90) AS order_days_90d,
    count(DISTINCT day) FILTER (days_ago(day) < 365) AS order_days_365d
FROM entry GROUP BY customer;

-- the 17th newest day with an order or refund is the newest that may be summed up with older ones
CREATE OR REPLACE TABLE summed AS
SELECT customer, count(*) <= 17 OR days_ago(list(day ORDER BY day DESC)[17]) >= 365 AS orders_exact
FROM (SELECT DISTINCT customer, day FROM entry) GROUP BY customer;

-- ---- clicks and views ------------------------------------------------------------------------------------
CREATE OR REPLACE TABLE browsed AS
SELECT customer,
    count(*) FILTER (kind = 'view') AS views_total,
    count(*) FILTER (kind = 'click') AS clicks_total,
    count(*) FILTER (kind = 'click' AND action = 'search') AS searches_total,
    count(*) FILTER (kind = 'view' AND days_ago(day) < 1) AS views_1d,
    count(*) FILTER (kind = 'view' AND days_ago(day) < 7) AS views_7d,
    count(*) FILTER (kind = 'view' AND days_ago(day) < 30) AS views_30d,
    count(*) FILTER (kind = 'click' AND days_ago(day) < 1) AS clicks_1d,
    count(*) FILTER (kind = 'click' AND days_ago(day) < 7) AS clicks_7d,
    count(*) FILTER (kind = 'click' AND days_ago(day) < 30) AS clicks_30d,
    coalesce(sum(halved(t, 1)) FILTER (kind = 'view'), 0) AS views_half1d,
    coalesce(sum(halved(t, 7)) FILTER (kind = 'view'), 0) AS views_half7d,
    coalesce(sum(halved(t, 30)) FILTER (kind = 'view'), 0) AS views_half30d,
    coalesce(sum(halved(t, 90)) FILTER (kind = 'view'), 0) AS views_half90d,
    coalesce(sum(halved(t, 1)) FILTER (kind = 'click'), 0) AS clicks_half1d,
    coalesce(sum(halved(t, 7)) FILTER (kind = 'click'), 0) AS clicks_half7d,
    coalesce(sum(halved(t, 30)) FILTER (kind = 'click'), 0) AS clicks_half30d,
    coalesce(sum(halved(t, 90)) FILTER (kind = 'click'), 0) AS clicks_half90d,
    part_of(sum(halved(t, 7)) FILTER (kind IN ('view', 'click')),
        sum(halved(t, 90)) FILTER (kind IN ('view', 'click'))) AS trend,
    days_since(max(t) FILTER (kind = 'view')) AS days_since_view,
    days_since(max(t) FILTER (kind = 'click')) AS days_since_click,
    days_since(min(t)) AS days_known,
    days_since(max(t)) AS days_since_seen,
    part_of(count(*) FILTER (at_weekend), count(*)) AS weekend_share,
    part_of(count(*) FILTER (in_evening), count(*)) AS evening_share,
    count(rating) FILTER (kind = 'click') AS ratings_total,
    CAST(avg(rating) FILTER (kind = 'click') AS DOUBLE) AS rating_mean,
    count(*) FILTER (kind = 'click' AND action = 'add_to_cart') AS cart_adds_total,
    count(*) FILTER (kind = 'click' AND action = 'remove_from_cart') AS cart_removes_total,
    count(*) FILTER (kind = 'click' AND action = 'wishlist') AS wishlists_total,
    count(*) FILTER (kind = 'click' AND action = 'add_to_cart' AND days_ago(day) < 30) AS cart_adds_30d,
    max(t) FILTER (kind = 'click' AND action = 'add_to_cart') AS last_cart_add,
    count(*) FILTER (kind = 'click' AND (action = 'offer' OR has_offer)) AS offer_clicks_total,
    count(*) FILTER (kind = 'click' AND (action = 'campaign' OR has_campaign)) AS campaign_clicks_total,
    count(*) FILTER (kind = 'click' AND (action = 'campaign' OR has_campaign) AND days_ago(day) < 30)
        AS campaign_clicks_30d
FROM deed GROUP BY customer;

-- ---- visits: in delivery order ---------------------------------------------------------------------------
-- only an event that is not older than all before it (of its customer) opens or lengthens a visit
CREATE OR REPLACE TABLE forward AS
WITH placed AS (
    SELECT *, max(t) OVER earlier AS newest FROM deed
    WINDOW earlier AS (PARTITION BY customer ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), context AS (
    SELECT *,
        last_value(session IGNORE NULLS) OVER earlier AS held,
        count(*) FILTER (kind <> 'refund') OVER earlier AS visits_before,
        lag(kind = 'view' AND dwell_ms IS NULL) OVER (PARTITION BY customer ORDER BY seq) AS view_before
    FROM placed WHERE newest IS NULL OR t >= newest
    WINDOW earlier AS (PARTITION BY customer ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), stepped AS (
    SELECT *, kind <> 'refund' AND (visits_before = 0 OR CASE
        WHEN session IS NOT NULL AND held IS NOT NULL THEN session <> held
        ELSE t - newest > 30 * 60000 END) AS opens
    FROM context
)
SELECT *, sum(opens::INT) OVER (PARTITION BY customer ORDER BY seq) AS visit FROM stepped
WHERE kind <> 'refund';

CREATE OR REPLACE TABLE dwelt AS
SELECT customer, dwell_ms AS ms, day FROM deed WHERE kind = 'view' AND dwell_ms > 0
UNION ALL
SELECT customer, least(t - newest, 30 * 60000), CAST(local_time(newest) AS DATE)
FROM forward WHERE view_before AND NOT opens;

CREATE OR REPLACE TABLE visited AS
WITH visit AS (
    SELECT customer, visit, count(*) AS events, min(day) AS day,
        coalesce(sum(t - newest) FILTER (NOT opens), 0) AS ms
    FROM forward GROUP BY customer, visit
)
SELECT customer,
    count(*) AS sessions_total,
    count(*) FILTER (days_ago(day) < 1) AS sessions_1d,
    count(*) FILTER (days_ago(day) < 7) AS sessions_7d,
    count(*) FILTER (days_ago(day) < 30) AS sessions_30d,
    avg(visit.ms) / 60000.0 AS session_minutes,
    avg((events = 1)::INT) AS bounce_share
FROM visit GROUP BY customer;

CREATE OR REPLACE TABLE spent AS
SELECT customer, sum(ms) / 60000.0 AS minutes_total,
    coalesce(sum((ms + 500) // 1000) FILTER (days_ago(day) < 30), 0) / 60.0 AS minutes_30d
FROM dwelt GROUP BY customer;

-- ---- interests, channels, devices: names and their weights -----------------------------------------------
CREATE OR REPLACE TABLE liking AS
WITH told AS (
    SELECT customer, t, 1 AS weight, text_of(value, '$.category') AS category, text_of(value, '$.brand') AS brand
    FROM deed WHERE kind = 'view'
    UNION ALL
    SELECT customer, t, 3, category, brand FROM line WHERE kind = 'purchase'
)
SELECT customer, 'category' AS space, category AS name, sum(weight * halved(t, 90)) AS weight
FROM told WHERE category IS NOT NULL GROUP BY customer, name
UNION ALL
SELECT customer, 'brand', brand, sum(weight * halved(t, 90)) FROM told WHERE brand IS NOT NULL
GROUP BY customer, brand
UNION ALL
SELECT customer, 'channel', channel, count(*) FROM deed WHERE channel IS NOT NULL GROUP BY customer, channel
UNION ALL
SELECT customer, 'device', device, count(*) FROM deed WHERE device IS NOT NULL GROUP BY customer, device;

CREATE OR REPLACE TABLE liked AS
WITH ranked AS (SELECT *, max(weight) OVER (PARTITION BY customer, space) AS most FROM liking)
SELECT customer, space, count(*) AS names,
    list(name) FILTER (weight >= most * (1 - 1e-9)) AS favourites,
    max(weight) / sum(weight) AS favourite_share,
    1 - sum(weight * weight) / (sum(weight) * sum(weight)) AS diversity
FROM ranked GROUP BY customer, space;

-- ---- attributes: the newest value, of the same time the one delivered last -------------------------------
CREATE OR REPLACE TABLE attribute AS
WITH said AS (
    SELECT customer, [t, seq, 0] AS moment, 'country' AS name, text_of(value, '$.country') AS text FROM event
    UNION ALL
    SELECT customer, [t, seq, 1], name, text_of(value, '$.attributes.' || name)
    FROM event, unnest(['birth_year', 'gender', 'country', 'city', 'loyalty_tier', 'consent_marketing', 'nps'])
        AS names(name)
    WHERE kind = 'attributes'
)
SELECT customer, name, arg_max(text, moment) AS text FROM said WHERE text IS NOT NULL GROUP BY customer, name;

CREATE OR REPLACE TABLE told AS
SELECT customer,
    any_value(TRY_CAST(text AS DOUBLE)) FILTER (name = 'birth_year') AS birth_year,
    any_value(text) FILTER (name = 'gender') AS gender,
    any_value(text) FILTER (name = 'country') AS country,
    any_value(text) FILTER (name = 'city') AS city,
    any_value(text) FILTER (name = 'loyalty_tier') AS loyalty_tier,
    any_value(TRY_CAST(text AS BOOLEAN)) FILTER (name = 'consent_marketing') AS consent_marketing,
    any_value(TRY_CAST(text AS DOUBLE)) FILTER (name = 'nps') AS nps
FROM attribute GROUP BY customer;

-- ---- all together ----------------------------------------------------------------------------------------
CREATE OR REPLACE TABLE features AS
SELECT customer.customer,
    coalesce(orders_total, 0) AS orders_total,
    coalesce(money_total, 0) AS money_total,
    coalesce(refunds_total, 0) AS refunds_total,
    coalesce(items_total, 0) AS items_total,
    coalesce(COLUMNS('^(orders|money|campaign_orders)_\d+d$'), 0),
    coalesce(orders_exact, true) AS orders_exact,
    coalesce(COLUMNS('^(orders|money)_half\d+d$'), 0),
    part_of((money_total - refunds_total) / 10000.0, orders_total) AS average_order,
    part_of(refunds_total / 10000.0, money_total / 10000.0) AS refund_share,
    order_gap_days, days_since_order, days_since_first_order,
    coalesce(COLUMNS('^(views|clicks|searches|ratings|cart_adds|cart_removes|wishlists)_total$'), 0),
    coalesce(COLUMNS('^(views|clicks|cart_adds|campaign_clicks)_\d+d$'), 0),
    coalesce(COLUMNS('^(views|clicks)_half\d+d$'), 0),
    days_since_view, days_since_click, days_known, days_since_seen, trend, weekend_share, evening_share,
    rating_mean,
    coalesce(COLUMNS('^(offer_clicks|campaign_clicks|campaign_orders)_total$'), 0),
    coalesce(COLUMNS('^sessions_(total|\d+d)$'), 0),
    session_minutes, bounce_share,
    coalesce(minutes_total, 0) AS minutes_total,
    coalesce(minutes_30d, 0) AS minutes_30d,
    part_of(coalesce(views_total, 0), sessions_total) AS views_per_session,
    part_of(coalesce(orders_total, 0), sessions_total) AS conversion,
    last_cart_add IS NOT NULL AND (last_order IS NULL OR last_cart_add > last_order) AS cart_open,
    part_of(coupon_orders, orders_total) AS coupon_share,
    part_of(discounts / 10000.0, (discounts + money_total) / 10000.0) AS discount_share,
    category.favourites AS top_category,
    category.favourite_share AS top_category_share,
    brand.favourites AS top_brand,
    brand.favourite_share AS top_brand_share,
    category.diversity AS category_diversity,
    channel.favourites AS channel_main,
    least(coalesce(channel.names, 0), 4) AS channels,
    device.favourites AS device_main,
    year(local_time((SELECT at_ms FROM asked))) - birth_year AS age,
    gender, country, city, loyalty_tier, consent_marketing, nps
FROM customer
LEFT JOIN bought USING (customer)
LEFT JOIN summed USING (customer)
LEFT JOIN browsed USING (customer)
LEFT JOIN visited USING (customer)
LEFT JOIN spent USING (customer)
LEFT JOIN told USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'category') AS category USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'brand') AS brand USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'channel') AS channel USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'device') AS device USING (customer);

CREATE OR REPLACE TABLE bounds AS
SELECT customer.customer,
    coalesce(order_days, 0) AS order_days,
    coalesce(order_days_30d, 0) AS order_days_30d,
    coalesce(order_days_90d, 0) AS order_days_90d,
    coalesce(order_days_365d, 0) AS order_days_365d,
    coalesce(money_moved30d, 0) AS money_half30d,
    coalesce(money_moved90d, 0) AS money_half90d,
    coalesce(category.names, 0) AS categories,
    coalesce(brand.names, 0) AS brands,
    coalesce(channel.names, 0) AS channels_used,
    coalesce(device.names, 0) AS devices
FROM customer
LEFT JOIN bought USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'category') AS category USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'brand') AS brand USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'channel') AS channel USING (customer)
LEFT JOIN (SELECT * FROM liked WHERE space = 'device') AS device USING (customer);
