-- Where each word stands. A search counts how many words begin like one before it asks for them. It is made of article_words as it is
-- read.
CREATE VIRTUAL TABLE article_words_vocabulary USING fts5vocab (article_words, instance);
