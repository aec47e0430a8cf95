--
-- PostgreSQL database dump
--

SET standard_conforming_strings = on;

CREATE TABLE public.labels (
    id bigint NOT NULL,
    title character varying
);

COPY public.labels (id, title) FROM stdin;
1	one
2	\N
\.

INSERT INTO public.labels VALUES (3, 'it''s');
