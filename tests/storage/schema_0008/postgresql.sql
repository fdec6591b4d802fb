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
    trace text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    concerned text COLLATE pg_catalog."C",
    signed_at bigint,
    subject_key text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C"
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
-- Name: notice_counters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.notice_counters (
    identity_hash bytea NOT NULL,
    sequence bigint NOT NULL,
    generation integer NOT NULL,
    arrival bigint NOT NULL,
    last_name text NOT NULL COLLATE pg_catalog."C"
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

INSERT INTO public.alembic_version VALUES ('0008');


--
-- Data for Name: api_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.api_keys VALUES ('4c1f9006b27d', '\x5a72109f200ffea3c8bcaf6beff83281438ad44faa6620923ceb9651aa4ab66d', 'reader', 'read', '', 1795930042, NULL, NULL);
INSERT INTO public.api_keys VALUES ('723f91bd5fc8', '\xe3dab9fd100e8dda34923678ea0f814446a7472ef0c127ef994b6fa979a1a441', 'key', 'link proxy read remove vend', '', 1795930024, NULL, 1795930077);


--
-- Data for Name: audit_entries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_entries VALUES (1, 1795930024, 'api_key.created', '{"key_id":"723f91bd5fc8","scopes":"link proxy read remove vend"}', '\x0000000000000000000000000000000000000000000000000000000000000000', '\x3c8c8cee306465d64520207602fe171cac6af8085316892f8042389d901185ea');
INSERT INTO public.audit_entries VALUES (2, 1795930042, 'api_key.created', '{"key_id":"4c1f9006b27d","scopes":"read"}', '\x3c8c8cee306465d64520207602fe171cac6af8085316892f8042389d901185ea', '\x533ec752d8fc839b79e00880ed2c38d68efa3d8186e24e2ef7ef8d9dc6e1c8e2');
INSERT INTO public.audit_entries VALUES (3, 1795930079, 'grant.added', '{"person":"05f9cb691e2616effe03a494"}', '\x533ec752d8fc839b79e00880ed2c38d68efa3d8186e24e2ef7ef8d9dc6e1c8e2', '\xf4e51f89d15ced7047928aed29d16a886cb33df27af89382f695c74ee4ffff7b');
INSERT INTO public.audit_entries VALUES (4, 1795930082, 'link.activated', '{"installation":"AhPofAFCtA8J_tkO97bFSa","subject":"91b27a0f0cdc4fd9f3f549ba","person":"05f9cb691e2616effe03a494","proofs":"state,pkce,exchange,identity,scopes,confirmation"}', '\xf4e51f89d15ced7047928aed29d16a886cb33df27af89382f695c74ee4ffff7b', '\x4194d08e9fe406051848cd1065cc1583813d226da5f69db1bec8d8747f913619');


--
-- Data for Name: database_identity; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.database_identity VALUES ('beb28a2b55c91b12c063f0a52353da25', 1795930022, 1, 0);


--
-- Data for Name: events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.events VALUES ('notice-AgiCUcSfF_XBV9UddLHjlv', 'installation.activated', 1795930082, '\x010e63306137653562312f3230373836cd3d39fcd233d4c09af65a3d2af98a400a1fa8f12bb17940216592b2393703af08b2d78a2bf75bb2ec0a137f4428cdbb73c9e6786f810915a2d724bbeae421c2efb8694aa70cc298d61c83324a000cb8e85a1f8aa91e72f8122634d9e387125439f2df11501289a6b1d95677d3087b32351541924c3ff608f82e9c807ced84a1ccf9a4675af82cfa0f6d0cd95cbf42578c1ccf1c3631177f24432e4a734c78dee5c17026d7e2c70790632993ddfb0d48616bf376853d2a316ef8c1ef173b2eb7717d15879718589e532b311d32b8778b41ee3d254376f4359ab30b8ce8e10703cf9079567868b14088c57f8ff8919781c31185cbd40efa524376431ab162652f10733790511fa6afa6', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', true, false, 'received', 1, 1795930088, NULL, 'transport: http://127.0.0.1:9 refused the connection', 1795930082000000, '', '  ', NULL, '91b27a0f0cdc4fd9f3f549ba');
INSERT INTO public.events VALUES ('3d2a7f8462ef0a67d2be529078c67b7f15ae824eef26da41b3000240838c60b0', 'meeting.ended', 1795930084, '\x010e63306137653562312f323037383681bd70c0899f6653c19dfb2dabdea82fcf5db5589ef719f25c3086154415b5d6731439746364e2957a5d46aa18e50734c5bef2ff908531ecf87d2d50c74ebead15a0ed8627d4085367d378a831aeb7da7cf71be7df536a00fb618dc5c0bd14c32ee95ff787301a6412f88da8a5b4a630263ca8700eb4720e4c584fe9ca49c9bffafd2ac99119fba0c60a44a594a186a7474c2767d7cf2d8988c394be302d848ca21e15d9995437a7aab7fc1304291dd9a7a45bcfd9500072a3792270a82c6be42d1c07a40f26c737e845c6b1bd34744ddcf420db866a0ceaf7918d28fb79dc487c37d85c64c2bb90e4af235a5eb96ccb26855abb55312f581837e1fc1ca9e0611e760207a4754dd1a992cb74b7543d09', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', false, false, 'received', 1, 1795930089, NULL, 'transport: http://127.0.0.1:9 refused the connection', 1795930084011000, '', ' KDcuGIm1QgePTO8WbOqwIQ ', NULL, '');


--
-- Data for Name: given_answers; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.given_answers VALUES ('outcome/105554c74a2a5866a33abddfca9339ecd6a238137259888d8f8fee20342a92ee', '\x', 200, '\x01086330613765356231405dbda7b6610218efe1a358b281af2c9b7dfa1cf12897e53606305f38c90d8251510ed7aa48e1acaed0e35c54e5713d7642564957549ca8a54047beb16fb8447910cc2263b61015086d26a4971089669c5041bb30b882fb8ae75281c0f3c5702d2e82ec51fd', 1795930078, 1795930139);


--
-- Data for Name: grants; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.grants VALUES ('D8ERbdhBmNFesan7eeOgjZ', 'pR8qClientId', 'AbcDEFghiJKLmnoPQRst01', 'KDcuGIm1QgePTO8WbOqwIQ', 'active', '', '\x010863306137653562313031ea988b2953228507ad215d927528ae21b1f8eb7581be2658e15ab9ed82ac79e205a96dc54b6d0fe50373d074ed8af29e5f29a486303cacd707336f6905799c40a46972fe3894b0af616e593a5ba76223f70e6f9355eb54bea6c61cbf0f1b258b5bc74208424a2177aa0097be102f49dcbf68c8152a23719f0e7e5c6c5e4faeba9090fdd3bba8d1c23e3c8bc0b2ea40c14f728c21bf8094c2256f75f0db4ad4703f029776abd17d82fbc044c7378c2e864cfe1205a4a19a3d0c7629d82604e6bfc36f0868c02e32d2de0cebcabd6d311155ce59213971a4faa304cbb66bbbe1869ab7ed08f9906bbcef7ce08c7bf372f124dd06f49a2470d50849c15b6ce6f429116520547e3f69357b68355eec2ee50a1356d2c675daac0fae700f00c19c0be4267142ef42171ffbf3674d532577ebb33d79ac68bb7a82f4057f064cbd5155b06677f6ea8e2df5feea21d44e1c680fff6f44395520c4c58a1cd0f529f42f6fd09783bdb0da201f626be153863c02d3113dd0b93b4fa3e295ce100e500671d23fcd9daf754172778fd7c8c00207c78d5fa16b916bbb20eaf4f4454c39ec4ef853ff602193ee4228a9d83166c3fe0325f5b826f7d83cd664ecfbb7a3a47874b4729e5e5941182c26e9253cc4c3cb8fc471a8a07c00c64a91197c1159e8b8f91454f794f217f72e1d73226e9937d9ea08ecb335085b4020fe857766728d102e8b682393bee0ff30f318a0d282dc69a5b86d19aa34a9f864db74461e1486d266902b9b6ed9d6250dabe9ca93d45b6fc309c944ba7a77f75e99da6706bf6c08248d045aaf07440e79e217c33c3d5fa2d1090d52a87fcfb84f96329a620405', '\x01086330613765356231277b641c7f2c54b32d3f8f5041f7ba8480adab13cb7d5ccb48e87b1284ef73792328e4ac8106a8751973bdc0709e74f17498f720c4ad1413b91734ceb75735aa2e8b62737f87a6353b5b195bf937512654d012375bd5d3a22cf58ea9ab4f8045a51c3e4ba871322d80af3c10fe76f667f37a8d42d606318e9efcb496bddac3ecb71de6cab9803a1449e052a4ceaffdfc20de1e6670a54008d434c4f6d23ad40930f938dd0a54b1228667cd9f183fca75d06789f193524459bdde6ccefdba18fe079581386313c9b1829ac10de3ed2cf54d9ceef3d90713d036103e22e9265cb81e78e00c83435a8a6d2edb244da62abf46e301253dd439879b921c075a48f5be21f58e2c8b18376455c9d9b024cd31e9d57d0297e8778dd643bfa859c3286458e8069ae8b64fcc95691518adfcb5f214d2492fd27994e2a712dc334b3861cb106f08f589977819fd8ac710649e644f580a603d61bf1d4219f1f9aa2881222c2408cb292a50132738ce33414e85495be4b81d03edf1361bff0de67b1db296d035a8f14cec1acf2fbc425dfe28e1377100647048ad295b95c52cb46a6bf42f907a7d074cb2e670e26cda9389dfccab0cd5baa325a1e9527e80aea9f325d187190f33b4d2de70c2151a53cdd6d73d0d82e22f747eb5a4ac88ba61c17c5aaa1e803711212251aaec0e7ece1dbd59e49c9b3ee7f6f79a6e3c84623ec399949f83aafd2ddcfa9c2e4ff4aa561ed55635b6a9898c4f714f632fc5433f9a05a38119df35e602e53ea3762d7e67c50e43ce5e779b38b77a00911acec1fb851b9c0b592a897e9ec9515e187e74c0b4fa0508d07e0d1e505abe3aab90f03fc003923940', 1795933678, 'meeting:read:meeting user:read:user', 'http://localhost:35695', 1795930079, 1795930078, 1, '\x010863306137653562318fae3961b1129bd063c0fa88fbbdaa51b1b38c5dbfc7ab07aca0a339307eb5acf6de28386b883157f358802b0903a5175eff8b036b2003e218fea3', 1795930079, 1795930078);


--
-- Data for Name: key_turns; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.key_turns VALUES (1, 'c0a7e5b1', 1795930022);


--
-- Data for Name: link_requests; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: links; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.links VALUES ('AhPofAFCtA8J_tkO97bFSa', 'D8ERbdhBmNFesan7eeOgjZ', 'pR8qClientId', 'acct_42', 'active', '[["state",1795930078,"paraph"],["pkce",1795930079,"paraph"],["exchange",1795930079,"paraph"],["identity",1795930079,"paraph"],["scopes",1795930079,"paraph"],["confirmation",1795930082,"host"]]', 1795930079, 1795930082, NULL, '', '', NULL, NULL, NULL);


--
-- Data for Name: notice_counters; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.notice_counters VALUES ('\xb89bfa3f6bba8618e4357698d2817e799518a8499324cfae9dfaa2ec92df6e32', 1, 1, 1795930082000000, 'installation.activated');


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

INSERT INTO public.stored_keys VALUES ('tombstone', '\x01086330613765356231b463be1517355cc6e915ea0ae3d4b289dbcc727a73b52b2e955c48408957d4f4fa7ba06e64e022ea35922bef6b41d0cb82c4076dd50848bd7120b70d');
INSERT INTO public.stored_keys VALUES ('audit', '\x0108633061376535623188dc4e284ed83a98e640b5d807aa95b0f17e023588c7936f5a97ff2bc9ae1c2aae862a614993a1c7b05124d70a1dde882d476a79ddcc0c6f58480369');
INSERT INTO public.stored_keys VALUES ('identifier', '\x0108633061376535623178e1dbf8f8a079852c1a5af0d7a1bbf852da33ace08cb762891f4953a95f93063d2163ddb18cfb45090b688f00e13ca96e1803dfb8ee493515a10a15');
INSERT INTO public.stored_keys VALUES ('receipts', '\x01086330613765356231da407a37a1080c21b333cadf419182b2b853d2d885223d21b1bbd103ec596bef32787d6a4a7f8be9db073fd8aa951742e6eb4789736650cf053fb5b3');
INSERT INTO public.stored_keys VALUES ('backup', '\x010863306137653562313a6cf69ba1d24e5343891677dde4d4c0b3cecbf891c7c066bc16ac8681af68827c14f2166d77592a3186d1f2845eb06186a359197f2a6791f4b76ff7');


--
-- Data for Name: tombstones; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: used_states; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.used_states VALUES ('\x105554c74a2a5866a33abddfca9339ecd6a238137259888d8f8fee20342a92ee', 1795933678);


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
-- Name: notice_counters pk_notice_counters; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.notice_counters
    ADD CONSTRAINT pk_notice_counters PRIMARY KEY (identity_hash);


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
-- Name: ix_events_waiting_notices_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_waiting_notices_subject ON public.events USING btree (subject_key, arrival) WHERE ((status = 'received'::text) AND (subject_key <> ''::text));


--
-- Name: ix_events_waiting_notices_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_waiting_notices_user ON public.events USING btree (account_id, user_id, arrival) WHERE ((status = 'received'::text) AND (subject_key <> ''::text));


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
-- Name: ix_grants_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_grants_user ON public.grants USING btree (client_id, user_id);


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


