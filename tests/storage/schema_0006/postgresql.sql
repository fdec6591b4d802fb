--
-- PostgreSQL database dump
--



SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: api_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_keys (
    key_id text NOT NULL COLLATE pg_catalog."C",
    secret_hash bytea NOT NULL,
    label text NOT NULL COLLATE pg_catalog."C",
    scopes text NOT NULL COLLATE pg_catalog."C",
    subject_prefix text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    revoked_at bigint,
    last_used_at bigint
);


--
-- Name: audit_entries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_entries (
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    action text NOT NULL COLLATE pg_catalog."C",
    details text NOT NULL COLLATE pg_catalog."C",
    previous bytea NOT NULL,
    digest bytea NOT NULL
);


--
-- Name: database_identity; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.database_identity (
    database_id text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    epoch_began_at bigint DEFAULT '0'::bigint NOT NULL
);


--
-- Name: events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.events (
    event_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    received_at bigint NOT NULL,
    body bytea,
    account_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    notice boolean NOT NULL,
    urgent boolean NOT NULL,
    status text NOT NULL COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    next_attempt_at bigint NOT NULL,
    handed_on_at bigint,
    failure text NOT NULL COLLATE pg_catalog."C",
    arrival bigint DEFAULT '0'::bigint NOT NULL,
    trace text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
);
ALTER TABLE ONLY public.events ALTER COLUMN body SET STORAGE EXTERNAL;


--
-- Name: given_answers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.given_answers (
    answer_id text NOT NULL COLLATE pg_catalog."C",
    request_hash bytea NOT NULL,
    status integer,
    body bytea,
    begun_at bigint NOT NULL,
    expires_at bigint NOT NULL
);


--
-- Name: grants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.grants (
    grant_id text NOT NULL COLLATE pg_catalog."C",
    client_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    phase text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    access_token bytea NOT NULL,
    refresh_token bytea,
    access_expires_at bigint NOT NULL,
    scopes text NOT NULL COLLATE pg_catalog."C",
    api_server text NOT NULL COLLATE pg_catalog."C",
    received_at bigint NOT NULL,
    zoom_time bigint,
    token_version integer NOT NULL,
    profile bytea NOT NULL,
    granted_at bigint NOT NULL,
    granted_zoom_time bigint
);


--
-- Name: key_turns; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.key_turns (
    turn integer NOT NULL,
    key_id text NOT NULL COLLATE pg_catalog."C",
    began_at bigint NOT NULL
);


--
-- Name: link_requests; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.link_requests (
    request_hash bytea NOT NULL,
    subject text NOT NULL COLLATE pg_catalog."C",
    challenge text NOT NULL COLLATE pg_catalog."C",
    return_to text NOT NULL COLLATE pg_catalog."C",
    expires_at bigint NOT NULL
);


--
-- Name: links; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.links (
    link_id text NOT NULL COLLATE pg_catalog."C",
    grant_id text NOT NULL COLLATE pg_catalog."C",
    client_id text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    phase text NOT NULL COLLATE pg_catalog."C",
    rungs text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    confirmed_at bigint,
    expires_at bigint,
    challenge text NOT NULL COLLATE pg_catalog."C",
    return_to text NOT NULL COLLATE pg_catalog."C",
    handoff_hash bytea,
    handoff_expires_at bigint,
    claim_hash bytea
);


--
-- Name: ownerless_tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ownerless_tokens (
    ownerless_id text NOT NULL COLLATE pg_catalog."C",
    client_id text NOT NULL COLLATE pg_catalog."C",
    tokens bytea NOT NULL,
    created_at bigint NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at bigint NOT NULL
);


--
-- Name: receipts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.receipts (
    receipt_id text NOT NULL COLLATE pg_catalog."C",
    installation_id text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    requested_at bigint NOT NULL,
    completed_at bigint NOT NULL,
    destroyed text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: refresh_attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.refresh_attempts (
    grant_id text NOT NULL COLLATE pg_catalog."C",
    token_version integer NOT NULL,
    holder text NOT NULL COLLATE pg_catalog."C",
    began_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    failures integer NOT NULL,
    next_attempt_at bigint NOT NULL
);


--
-- Name: removal_exports; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.removal_exports (
    export_id text NOT NULL COLLATE pg_catalog."C",
    line text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: replicas; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.replicas (
    replica_id text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    key_ids text NOT NULL COLLATE pg_catalog."C",
    sealing_key text NOT NULL COLLATE pg_catalog."C",
    seen_at bigint NOT NULL
);


--
-- Name: revocations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.revocations (
    revocation_id text NOT NULL COLLATE pg_catalog."C",
    client_id text NOT NULL COLLATE pg_catalog."C",
    token bytea NOT NULL,
    created_at bigint NOT NULL,
    attempts integer NOT NULL,
    next_attempt_at bigint NOT NULL
);


--
-- Name: stored_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.stored_keys (
    name text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL
);


--
-- Name: tombstones; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tombstones (
    identity_hash bytea NOT NULL,
    zoom_time bigint NOT NULL,
    created_at bigint NOT NULL
);


--
-- Name: used_states; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.used_states (
    state_hash bytea NOT NULL,
    expires_at bigint NOT NULL
);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0006');


--
-- Data for Name: api_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_keys VALUES ('6540e4c63a63', '\x06bc351fd8beeac30bdb8b1f1d246377dca499f7162ab59dbdf66d2cdadd89ca', 'reader', 'read', '', 1795930518, NULL, NULL);
INSERT INTO public.api_keys VALUES ('e58a301e690d', '\x92e3129c9a3b25235d1f03cc98577a31f3f940301b2293bcec9369ae513c008f', 'key', 'link proxy read remove vend', '', 1795930517, NULL, 1795930532);


--
-- Data for Name: audit_entries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_entries VALUES (1, 1795930517, 'api_key.created', '{"key_id":"e58a301e690d","scopes":"link proxy read remove vend"}', '\x0000000000000000000000000000000000000000000000000000000000000000', '\xf1405ea0145a3e279c1a0df4fe0dc0df4e6d410d9052e79a008c470aeefecf82');
INSERT INTO public.audit_entries VALUES (2, 1795930518, 'api_key.created', '{"key_id":"6540e4c63a63","scopes":"read"}', '\xf1405ea0145a3e279c1a0df4fe0dc0df4e6d410d9052e79a008c470aeefecf82', '\x676acbace4648f93eb6174d6555bc9296b1debee0bb34b37663254d9e364b551');
INSERT INTO public.audit_entries VALUES (3, 1795930532, 'grant.added', '{"person":"af69c596635083080409e589"}', '\x676acbace4648f93eb6174d6555bc9296b1debee0bb34b37663254d9e364b551', '\x6e97429a09d6a9f86bc10e0e3e747062f4a1c432a5f3989840bbc3a75a13317e');
INSERT INTO public.audit_entries VALUES (4, 1795930533, 'link.activated', '{"installation":"eYk4cVXkPL-ZXMJ4ZUamZA","subject":"97687577b22ebc251311beb6","person":"af69c596635083080409e589","proofs":"state,pkce,exchange,identity,scopes,confirmation"}', '\x6e97429a09d6a9f86bc10e0e3e747062f4a1c432a5f3989840bbc3a75a13317e', '\xa7f397dfec2f56bfd4b1ec1060335aa26cf03a251c43ba67ae6695caf330886a');


--
-- Data for Name: database_identity; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.database_identity VALUES ('37366cbcbac8209f99d5b44f4efb5a4f', 1795930516, 1, 0);


--
-- Data for Name: events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.events VALUES ('notice--r-YUpl8NPsi5wKp89yrFQ', 'installation.activated', 1795930533, '\x01086330613765356231deca7eca85c5d483171ad0876658777b7a93564a50d862a36b5eaee7efdb056f5ad0ca22678f6fb069c5b6dc2e4d15c2a27b18ca028a3e833a6616332252580a62fa5d0562e35afcbc80db5936e4d0e537174fa3bae4a83a3631967ddadee5677527b6e7d9c1340de2d33c8eff515fc9b505ab00f9fb27b859381bf22cc130841937600b3276983f775d50d3181f3a95b8d7cbc3399de94badbd1a37e3141c1bf7d388c93c2c4504a5539f459a44aa873bee6d2c6b25c7494ec2f2bb12f6a7722eb424e0abf128', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', true, false, 'received', 1, 1795930539, NULL, 'transport: the host did not answer: ClientConnectorError', 1795930533000000, '');
INSERT INTO public.events VALUES ('6c73cca94142d6b9ffe8054e00945da071b76089497c052ae37c590f0da61894', 'meeting.ended', 1795930533, '\x01086330613765356231471001406db8fb84049e3f073e4f65b33ff03ce08cb9b87916f064307f1e3fb17e239d1c1e0fe4f5290188af9c131a063746490d8a889a7674a14099f0a4f10516a6b61445b97b1cb097fac02c9869c80f8cdb8d15eb6fab4b0b3266aaab7ecab862d9b53232a6dba4b243ca2c7e165f4cd3107ef8aa327bc67ef318c45f9996950cae99b24d6bb3b445c2c6d570532bd9b168feacbcf5f3257bb0bdd245671bfa1657375ca1520c09dec6c0f4802ec0fe4fcd228fbfcd223713cdb0c0cc4eca3d5fe3e427c8314dea95ee69f0358699f3d2c4e26800c5823837fc7ad6925b7d7fb4bff066ce68743ba7aa5bff6b7920c3512f0cc0f6509c538c75de345557fb9d9f46c47304b41226fdae66b04658b2', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', false, false, 'received', 1, 1795930538, NULL, 'transport: the host did not answer: ClientConnectorError', 1795930533937235, '');


--
-- Data for Name: given_answers; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: grants; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.grants VALUES ('FBW1OWhTBDWGVXYIByWbiA', 'pR8qClientId', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', 'active', '', '\x0108633061376535623167707bb60bd5971d657cc1d6ccbf726228ba65fef1d5de34647e125141f4666b8267c843ff5e1c022d5e941ab0f46469b0db411bf4b0428a237b3db5a9cdc69e469560a01f60b5d67a8d3a2098181977da8741dfc4d5844dbee76e02ace383d201daa26cce22b40e0f7998cf2a9d6b4a59bd877da6b5a5b7fdb11a6f5a056a629c09371919ab80f61bce88b57f97662538747c625e90188afc2c781c6643d6594a069b470cad41947b3ec654e770e83db1781778e18424cc0b184b44d63d601607ed4b9fc34c738cd121ca3b9e0c2e89c12b6bc1067105c047ec638473e98e7d7c356374a837207c4c5443d488a6d2164544c62e1be9d2bfe63a5e0c1c264c7ad143eb54c638912b16ee745d564195978802f48f2b5bc2ad280644f749cfabf0ed386e443839db048aad14d39c05b1fdcbd3774a12c3ca6e89438479de271c42c6bcd17f340978c2943aceb53165ce52ffd265d7e40048e99d028cf1d0a5857acd283080ba1744c563d5c9d316e9883408e5501959b4f3a002b8a8b955a9ea283577e89d03161d71434e6fa3120535bf2e04e160ebb373850b4dffd4e2fad6827510c92d73c90e70592105cb39280ab5adf48e13ae4cbe2ade34fd4b9d4b7e7ad027049be07cc23de024c25549ef02e3649debd46938d3506db38fbad8b5ddce64f69dbe8a85dec1aba2a3febd032cac84a6e958b5e2d8f41eca07e77b9d2bb406b73077dabc5c666372838c16d8f3a81c548a97b63f994f363f4cb26f97059faae5312631123b80df9ecffcb0946583e1818303d2331f4f747c5a010d0a1c0ae6e4d1ecbbe0966c6381560cabc839c02cfb508f493d58e5493cd20fe694', '\x01086330613765356231a4b0e06836eb0f62caf66561990cbb22a53bff76df7dfc257ed57347f6d00ad872deb37694ba657a5946fe69d0c6838ee6a34667e68d3fc91328b06dafe2007e0bc265775faeab8e88dda65505337668b3ce552253dedec50503c8047ca51cfe15301d52ffb99246b82826b5d7ae7b07c9964a7ebb9a60109365978e723712a788040ed2bf15b503263a5982458c8a730e8adf8599f2e77ed12266179d4bf35671378cff89efa1530d1c086f220cf512710cc58b4ab62cf24f4daa22ccf36413bc97c62514009e0f99c6fe1f4de08df02717f32f1d2edaf5cab95c93726461c1f15608a1220533d5f634435c1281557cabc63ff2161f50c5183d682108b4d9cda08f7b9d7e67c9d0c765861f6e2bd04b1214d0750934f95d1e62220a8c8894c33d7911a0b5bcb8abf7767d78812162fed05b17a56ce2706808155a69088da08f6fa1b78af52c4336842864cb48267352840dd5de781cb72716fcc0dc999b95b36bf230b475d03a1d7ac43b21df73903395b71dff84d54b2a7decd6929dee5698fa0690f216d3ecc8f8c04613e5e8549afaed3eb74674ff8c410fd39042b10d848c813c7fa3ac42c1ead4caff220bff640094539926ffcd8b2c4f4efa5187ba98ab8e4cf0a69fbe4ca0598c4663404b8bc831424c1bd11ac76b3c2e8edd961c8eb84642d812b913aec5d39d841cae5e93888950cc9e8e830598d1635cc4eb2dca9caca3a9c116fe49853a7a0498a66b99232fb1c6aaf4dc04b6e0db7303a3a1fe00590f58066e2a00beea94fbb94d9d3e47bf6eb189bfa8adc45de0f638d1a98ef9c0f60100152549bd16e8575dc7c2d4b71df761dd0393fb2ae5fa952740', 1795934131, 'meeting:read:meeting user:read:user', 'http://localhost:42805', 1795930532, 1795930532, 1, '\x010863306137653562310c2ebb8bba5ccab04bede0354566ef7f2ebba0cd4101a50b9d2e3ca9a392a4441c036b78a1ddef167c3df4bcaaadb60e7f474f41adb3a170a712ca', 1795930532, 1795930532);


--
-- Data for Name: key_turns; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.key_turns VALUES (1, 'c0a7e5b1', 1795930516);


--
-- Data for Name: link_requests; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: links; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.links VALUES ('eYk4cVXkPL-ZXMJ4ZUamZA', 'FBW1OWhTBDWGVXYIByWbiA', 'pR8qClientId', 'acct_42', 'active', '[["state",1795930532,"paraph"],["pkce",1795930532,"paraph"],["exchange",1795930532,"paraph"],["identity",1795930532,"paraph"],["scopes",1795930532,"paraph"],["confirmation",1795930533,"host"]]', 1795930532, 1795930533, NULL, '', '', NULL, NULL, NULL);


--
-- Data for Name: ownerless_tokens; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: receipts; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: refresh_attempts; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: removal_exports; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: replicas; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: revocations; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: stored_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.stored_keys VALUES ('tombstone', '\x0108633061376535623155b04dc584406d45f0ad1f75e2835eb328749d8068f051f86149a795b292383dd5d1d117c6b40f854ef9574140a96b24d07267cfa51e825cdaf2de73');
INSERT INTO public.stored_keys VALUES ('audit', '\x0108633061376535623124caf660f4d7d34cb7d2cabdf45f7e1250cc21d471cc20c4f962991c0389ddc611b74f0dcc5b87764089d8ef90c9da2e8e66243e2357ae9a5f19917d');
INSERT INTO public.stored_keys VALUES ('identifier', '\x01086330613765356231e0b16f4b4bcf00a7ee03d74ec98ceda759d3443e5985d912fc4725110ff06e7f1ca944398438d3613765f40e2ec6e12351c24c47fd6276730f91ba62');
INSERT INTO public.stored_keys VALUES ('receipts', '\x01086330613765356231f29b727046ab12ce2aec767e385958bc250285cd15087db99bd339871ecdf24dcd73c05e4535594bd14f4fa93576e845bb3da6195bb1b07258e06ffd');
INSERT INTO public.stored_keys VALUES ('backup', '\x01086330613765356231acb39511426fa49217c7d675ebb7bffdf50da436c0d26f11eba8c116cee283aa5f2a7dc3a96f2ee50a0b6885687237552c671500a03fdedc8388411d');


--
-- Data for Name: tombstones; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: used_states; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.used_states VALUES ('\xbaf4789e630ec1a8dd51dcb9fd33d7768d40264f0396165653269e327437b96d', 1795934132);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: api_keys pk_api_keys; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (key_id);


--
-- Name: audit_entries pk_audit_entries; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT pk_audit_entries PRIMARY KEY (sequence);


--
-- Name: database_identity pk_database_identity; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.database_identity
    ADD CONSTRAINT pk_database_identity PRIMARY KEY (database_id);


--
-- Name: events pk_events; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (event_id);


--
-- Name: given_answers pk_given_answers; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.given_answers
    ADD CONSTRAINT pk_given_answers PRIMARY KEY (answer_id);


--
-- Name: grants pk_grants; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT pk_grants PRIMARY KEY (grant_id);


--
-- Name: key_turns pk_key_turns; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.key_turns
    ADD CONSTRAINT pk_key_turns PRIMARY KEY (turn);


--
-- Name: link_requests pk_link_requests; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.link_requests
    ADD CONSTRAINT pk_link_requests PRIMARY KEY (request_hash);


--
-- Name: links pk_links; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.links
    ADD CONSTRAINT pk_links PRIMARY KEY (link_id);


--
-- Name: ownerless_tokens pk_ownerless_tokens; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ownerless_tokens
    ADD CONSTRAINT pk_ownerless_tokens PRIMARY KEY (ownerless_id);


--
-- Name: receipts pk_receipts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT pk_receipts PRIMARY KEY (receipt_id);


--
-- Name: refresh_attempts pk_refresh_attempts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.refresh_attempts
    ADD CONSTRAINT pk_refresh_attempts PRIMARY KEY (grant_id);


--
-- Name: removal_exports pk_removal_exports; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.removal_exports
    ADD CONSTRAINT pk_removal_exports PRIMARY KEY (export_id);


--
-- Name: replicas pk_replicas; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.replicas
    ADD CONSTRAINT pk_replicas PRIMARY KEY (replica_id);


--
-- Name: revocations pk_revocations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.revocations
    ADD CONSTRAINT pk_revocations PRIMARY KEY (revocation_id);


--
-- Name: stored_keys pk_stored_keys; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.stored_keys
    ADD CONSTRAINT pk_stored_keys PRIMARY KEY (name);


--
-- Name: tombstones pk_tombstones; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tombstones
    ADD CONSTRAINT pk_tombstones PRIMARY KEY (identity_hash);


--
-- Name: used_states pk_used_states; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.used_states
    ADD CONSTRAINT pk_used_states PRIMARY KEY (state_hash);


--
-- Name: links uq_links_claim_hash; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.links
    ADD CONSTRAINT uq_links_claim_hash UNIQUE (claim_hash);


--
-- Name: links uq_links_handoff_hash; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.links
    ADD CONSTRAINT uq_links_handoff_hash UNIQUE (handoff_hash);


--
-- Name: ix_events_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_account ON public.events USING btree (account_id);


--
-- Name: ix_events_dead; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_dead ON public.events USING btree (received_at) WHERE (status = 'dead'::text);


--
-- Name: ix_events_received; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_received ON public.events USING btree (received_at);


--
-- Name: ix_events_retained; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_retained ON public.events USING btree (handed_on_at) WHERE ((status = 'handed_on'::text) AND (body IS NOT NULL));


--
-- Name: ix_events_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_waiting ON public.events USING btree (urgent, next_attempt_at, arrival) WHERE (status = 'received'::text);


--
-- Name: ix_events_waiting_account; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_waiting_account ON public.events USING btree (account_id, arrival) WHERE (status = 'received'::text);


--
-- Name: ix_given_answers_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_given_answers_expires_at ON public.given_answers USING btree (expires_at);


--
-- Name: ix_grants_identity; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ix_grants_identity ON public.grants USING btree (client_id, account_id, user_id);


--
-- Name: ix_grants_received; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_grants_received ON public.grants USING btree (received_at);


--
-- Name: ix_links_active_grant; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ix_links_active_grant ON public.links USING btree (grant_id) WHERE (phase = 'active'::text);


--
-- Name: ix_links_active_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX ix_links_active_subject ON public.links USING btree (client_id, subject) WHERE (phase = 'active'::text);


--
-- Name: ix_links_grant; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_links_grant ON public.links USING btree (grant_id);


--
-- Name: ix_used_states_expires_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_used_states_expires_at ON public.used_states USING btree (expires_at);


--
-- Name: links fk_links_grant_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.links
    ADD CONSTRAINT fk_links_grant_id FOREIGN KEY (grant_id) REFERENCES public.grants(grant_id) ON DELETE CASCADE;


--
-- Name: refresh_attempts fk_refresh_attempts_grant_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.refresh_attempts
    ADD CONSTRAINT fk_refresh_attempts_grant_id FOREIGN KEY (grant_id) REFERENCES public.grants(grant_id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


