-- What phones show before the caller's name.
ALTER TABLE number ADD COLUMN label TEXT;
