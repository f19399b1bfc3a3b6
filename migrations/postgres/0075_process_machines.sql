-- machine: where the numbers of processes mean the same (a start of a system, and a namespace of it); empty where that is not known.
-- pid: the process's number there. A process that starts knows at once which of those beside it are no more.
ALTER TABLE processes ADD COLUMN machine TEXT NOT NULL DEFAULT '';
ALTER TABLE processes ADD COLUMN pid BIGINT NOT NULL DEFAULT 0;
